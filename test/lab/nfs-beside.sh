# Run in a machine of the lab. An NFS server that is somebody's runs here, on what it exports by default; cells of the matrix on
# NFS, two at once and one that is killed, must not touch it and must leave nothing. Says so step by step; ends with 1 at the first wrong one.
set -eu
fail() { echo "not ok $*"; exit 1; }
threads() { ps -eo comm | grep -c '^nfsd$' || true; }

ip link set lo up
mkdir -p /srv/own /mnt/own /var/lib/nfs/v4recovery /run/rpc_pipefs
echo mine >/srv/own/file
touch /var/lib/nfs/etab
modprobe nfsd
# With its services in rpcbind's list, as for clients of NFS 3.
rpcbind
mount -t nfsd nfsd /proc/fs/nfsd
rpc.mountd
exportfs -i -o rw,no_root_squash,no_subtree_check,insecure,fsid=0 127.0.0.1:/srv/own
rpc.nfsd 3
echo Y >/proc/fs/nfsd/v4_end_grace
mount -t nfs4 -o vers=4.2,soft 127.0.0.1:/ /mnt/own
cp /var/lib/nfs/etab /tmp/etab
rpcinfo -p 127.0.0.1 >/tmp/services
grep -q 100005 /tmp/services || fail "mountd is not in rpcbind's list: $(cat /tmp/services)"
[ "$(threads)" = 3 ] || fail "the server has $(threads) threads"

untouched() {
  [ "$(cat /proc/fs/nfsd/threads)" = 3 ] || fail "$1: the server has $(cat /proc/fs/nfsd/threads) threads"
  cmp -s /var/lib/nfs/etab /tmp/etab || fail "$1: its exports are $(cat /var/lib/nfs/etab)"
  rpcinfo -p 127.0.0.1 | cmp -s - /tmp/services || fail "$1: rpcbind's list is $(rpcinfo -p 127.0.0.1)"
  [ "$(cat /mnt/own/file)" = mine ] || fail "$1: what it serves is gone"
  echo "ok $1"
}
nothing_left() {
  look=0
  while [ "$(threads)" != 3 ] || losetup -a | grep -q /cells; do
    look=$((look + 1))
    [ $look -lt 120 ] || fail "$1: $(threads) threads, $(losetup -a)"
    sleep 1
  done
  echo "ok $1"
}
cell() {
  mkdir -p "/cells/$1"
  exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc -- \
    tsengine internal-lab-cells --isolated "{\"features\":\"nfs\",\"work\":\"/cells/$1\"}" >"/tmp/$1" 2>&1
}

(cell one) &
one=$!
(cell two) &
wait $one
wait
for name in one two; do
  grep -q '"name":"d_type","backing":"nfs","answer":"yes"' "/tmp/$name" || fail "$name: $(cat "/tmp/$name")"
done
echo 'ok two at once were served'
untouched 'two at once did not touch it'
nothing_left 'two at once left nothing'

(cell killed) &
pid=$!
look=0
until [ "$(threads)" = 5 ]; do
  look=$((look + 1))
  [ $look -lt 1200 ] || fail "no server began: $(cat /tmp/killed)"
  sleep 0.1
done
untouched 'one beside it did not touch it'
sleep 1
kill -9 $pid
wait $pid || true
nothing_left 'one that was killed left nothing'
untouched 'one that was killed did not touch it'
