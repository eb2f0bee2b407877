# A pool that fills: the container gets an error at once, the engine says what to do, and all goes on when the pool is grown.
set -u
. "$(dirname "$0")/common.sh"
for fs in ext4 xfs; do
  root=/store/root-$fs
  same="--data-root $root -s devicemapper --storage-opt dm.fs=$fs --storage-opt dm.basesize=1G --storage-opt dm.loopmetadatasize=16M"
  small="$same --storage-opt dm.loopdatasize=300M --storage-opt dm.min_free_space=0%"
  large="$same --storage-opt dm.loopdatasize=900M --storage-opt dm.min_free_space=0%"
  tsengine $small import /store/image.tar box >/dev/null || fail import
  ends 0 "$fs: a container that fills the pool gets an error" '*dd: [1-9]' tsengine $small run --name filler --network none box sh -c \
    'dd if=/dev/zero of=/big bs=1M count=500 conv=fsync; echo dd: $?'
  # Otherwise writes wait for a minute, and then for the next ones.
  expect "$fs: the pool is full, and holds no writes" '*out_of_data_space*error_if_no_space*' dmsetup status
  ends 125 "$fs: no layer is made in it" '*the pool docker-*-pool has no free block: remove images*' \
    tsengine $small run --rm --network none box true
  [ $fs = ext4 ] || for what in 'start -a' diff; do
    ends 1 "$fs: $what of what is in it" '*the pool is full, and xfs on * writes when it is mounted: grow the pool (dm.loopdatasize *' tsengine $small $what filler
  done
  expect "$fs: it grows" '*Data Space Total: 943.7MB*' tsengine $large info
  ends 0 "$fs: the container goes on in it" '*dd: 0' tsengine $large start -a filler
  ends 0 "$fs: and new ones do" 'back' tsengine $large run --rm --network none box echo back
  ends 0 "$fs: and the full one goes" 'filler' tsengine $large rm filler
  expect "$fs: its space comes back" '*' tsengine $large info
  used=$(dmsetup status | grep -o ' [0-9]*/14400 ' | cut -d/ -f1)
  [ "$used" -lt 1600 ] || fail "$fs: $used blocks are still used"
  check_pool "$root"
done

# xfs that shut down, as after an error in its log, refuses everything; its container ends and goes as any other.
root=/store/root-down
use() {
  tsengine --data-root $root -s devicemapper --storage-opt dm.fs=xfs --storage-opt dm.basesize=512M \
    --storage-opt dm.loopdatasize=1G --storage-opt dm.loopmetadatasize=16M "$@"
}
shut() { xfs_io -x -c shutdown "$(mount | grep -o "$root/devicemapper/mnt/[0-9a-f]*")" || fail 'nothing to shut down'; }
use import /store/image.tar box >/dev/null || fail import
use run -d --name down --network none box sh -c 'trap "exit 3" TERM; while :; do sleep 1; done' >/dev/null || fail 'run -d'
shut
ends 1 'looking at a container that runs on a filesystem that shut down' \
  '*the file system of layer * has shut down after an error, and a container uses it still: stop that*' use diff down
ends 0 'it is stopped' down use stop -t 1 down
mount | grep "$root/" && fail 'its mount stays'
ends 0 'it is started' down use start down
shut
ends 0 'it is removed with force' down use rm -f down
use run -d --name down --network none box sleep 1000 >/dev/null || fail 'run -d again'
shut
kill -9 "$(use inspect -f '{{.State.Pid}}' down)"
for again in $(seq 100); do mount | grep -q "$root/" || break; sleep 0.2; done
ends 0 'one that died by itself is removed' down use rm down
mount | grep "$root/" && fail 'a mount stays'
ends 0 'and new ones are made' works use run --rm --network none box echo works
check_pool $root

# A disk that fills below sparse loop files: an error for who writes, and no more.
disk=/store/small root=/store/small/root
truncate -s 250M /store/disk && mkfs.ext4 -q /store/disk && mkdir $disk && mount -o loop /store/disk $disk || fail 'a small disk'
use() {
  tsengine --data-root $root -s devicemapper --storage-opt dm.basesize=2G --storage-opt dm.loopdatasize=4G \
    --storage-opt dm.loopmetadatasize=256M "$@"
}
use import /store/image.tar box >/dev/null || fail import
use create --name another --network none box true >/dev/null || fail create
ends 0 'a container that fills the disk gets an error' '*dd: [1-9]' use run --name filler --network none box sh -c \
  'dd if=/dev/zero of=/big bs=1M count=400 conv=fsync; echo dd: $?'
expect 'the pool stays as it is' '* rw *' dmsetup status --target thin-pool
dmsetup status --target thin-pool | grep needs_check && fail 'the pool needs a check'
ends 125 'no layer is made on it' "*bytes are free where $root/devicemapper/devicemapper/data grows, fewer than the * that dm.min_free_space=10% keeps: *" \
  use run --rm --network none box true
ends 0 'one that was there goes' another use rm another
ends 0 'and the full one goes' filler use rm filler
ends 0 'and new ones run' works use run --rm --network none box echo works
# What a kill leaves between the metadata's file that grew and the pool that is to know of it.
truncate -s 320M $root/devicemapper/devicemapper/metadata
losetup -c "$(losetup -j $root/devicemapper/devicemapper/metadata | cut -d: -f1)"
expect 'the pool does not know' '*/65536 *' dmsetup status --target thin-pool
use --storage-opt dm.loopmetadatasize=320M info >/dev/null || fail info
expect 'the next command tells it' '*/81920 *' dmsetup status --target thin-pool
check_pool $root
umount $disk
