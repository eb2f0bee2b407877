# Containers on loop files and on block devices; sizes; a root that is only looked at, with its pool and without; removal of what is in use.
set -u
. "$(dirname "$0")/common.sh"
pools='--storage-opt dm.basesize=512M --storage-opt dm.loopdatasize=2G --storage-opt dm.loopmetadatasize=16M'
root=/store/root
use() { tsengine --data-root $root -s devicemapper "$@"; }
expect 'looking where there is nothing' 'REPOSITORY*' use $pools images
expect 'makes no pool' 'No devices found' dmsetup ls
[ -z "$(losetup -a)" ] || fail "loop devices are left: $(losetup -a)"
use $pools import /store/image.tar box >/dev/null || fail import
expect 'a container runs' 'hi' use run --name one --network none box sh -c 'echo hi | tee /dev/null >/file; cat /file; mkdir /dir; rm /bin/touch'
expect 'its changes' '*D /bin/touch*A /dir*A /file*' use diff one
expect 'a larger one' '* 636 *' use run --rm --network none --storage-opt size=700M box df -m /
mkdir /store/image/other && tar -C /store/image -c . >/store/other.tar
use --storage-opt dm.basesize=600M import /store/other.tar larger >/dev/null || fail 'growing the base device'
size=$(use run --rm --network none larger df -m / | tail -n 1 | awk '{print $1}')
[ "$size" -gt 500 ] || fail "the base device did not grow: $size MB"
looking="tsengine --read-only-root --data-root $root"
before=$(cat $root/devicemapper/metadata/* | sha256sum)
exported() { $looking export one | tar -t | grep -E '^(file|dir/)$' | sort | tr '\n' ' '; }
expect 'looking at it' 'dir/ file ' exported
check_pool $root
blocks=$(sha256sum <$root/devicemapper/devicemapper/metadata)
expect 'looking without its pool' 'dir/ file ' exported
expect 'leaves no device' 'No devices found' dmsetup ls
[ "$blocks" = "$(sha256sum <$root/devicemapper/devicemapper/metadata)" ] || fail 'looking wrote to the pool'
[ "$before" = "$(cat $root/devicemapper/metadata/* | sha256sum)" ] || fail 'looking wrote to the metadata'

expect 'and it opens again' 'hi' use run --rm --network none box echo hi
use run -d --name busy --network none box sleep 1000 >/dev/null || fail 'run -d'
point=$(mount | grep -o "$root/devicemapper/mnt/[0-9a-f]*")
sleep 1000 <$point/rootfs/bin/busybox & held=$!
expect 'a removed container' 'busy' use rm -f busy
expect 'waits for its last reader' '*Deferred Deleted Device Count: 1*' use info
kill $held
expect 'and goes with the next' 'hi' use run --rm --network none box echo hi
expect 'then' '*Deferred Deleted Device Count: 0*' use info
use rm one >/dev/null; use rmi box larger >/dev/null
left=$(ls $root/devicemapper/metadata | grep -c -E '^[0-9a-f]{64}') || true
[ "$left" = 0 ] || fail "$left layers are left"
expect 'driver setup where another pool is' "*is in use by devicemapper: remove what is left there (dmsetup remove docker-*-pool && rm -r $root/devicemapper); or*" use driver setup devicemapper
expect 'driver teardown where no store was made' "*devicemapper has no store that driver setup made: what it keeps in $root/devicemapper it made itself: remove what is left there (dmsetup remove docker-*-pool && rm -r $root/devicemapper)" use driver teardown devicemapper
check_pool $root

# A store that was made is taken away when nothing works in it, whatever has become of it.
made() { tsengine --data-root /store/made "$@"; }
expect 'driver setup with what --size says' '*dm.loopdatasize is what --size says*' made --storage-opt dm.loopdatasize=3G driver setup devicemapper
expect 'driver setup with a device' '*driver setup makes a pool on files*' made --storage-opt dm.thinpooldev=pool driver setup devicemapper
[ ! -e /store/made ] || fail 'a setup that was refused made something'
made --storage-opt dm.fs=ext4 --storage-opt dm.basesize=1536M driver setup devicemapper --size 2G || fail 'driver setup'
expect 'its file system' '*Backing Filesystem: ext4*' made -s devicemapper info
expect 'its base size' '*Base Device Size: 1.6*GB*' made -s devicemapper info
made -s devicemapper import /store/image.tar box >/dev/null || fail 'import into a made store'
made -s devicemapper run -d --name busy --network none box sleep 1000 >/dev/null || fail 'run -d in a made store'
point=$(mount | grep -o '/store/made/devicemapper/mnt/[0-9a-f]*')
sleep 1000 <$point/rootfs/bin/busybox & held=$!
expect 'a store in use' '*/store/made/devicemapper is in use: stop what works in it*, containers first, then go on with tsengine --data-root /store/made driver teardown --force devicemapper' made driver teardown --force devicemapper
kill $held
expect 'a store whose teardown was refused' '*box*' made -s devicemapper images
rm /store/made/devicemapper/devicemapper/data
echo damaged >/store/made/devicemapper/metadata/transaction-metadata
made driver teardown --force devicemapper || fail 'driver teardown'
[ ! -e /store/made/devicemapper ] || fail 'the store is still there'
dmsetup ls | grep docker- && fail 'its pool is still there'
losetup -a | grep . && fail 'its loop devices are still there'
echo 'ok driver teardown'
