# A pool that fills: the container gets an error at once, the engine says what to do, and all goes on when the pool is grown.
set -u
. "$(dirname "$0")/common.sh"
for fs in ext4 xfs; do
  root=/store/root-$fs
  same="--data-root $root -s devicemapper --storage-opt dm.fs=$fs --storage-opt dm.basesize=1G --storage-opt dm.loopmetadatasize=16M"
  small="$same --storage-opt dm.loopdatasize=300M --storage-opt dm.min_free_space=0%"
  large="$same --storage-opt dm.loopdatasize=900M --storage-opt dm.min_free_space=0%"
  tsengine $small import /store/image.tar box >/dev/null || fail import
  expect "$fs: a container that fills the pool gets an error" '*dd: [1-9]*' tsengine $small run --name filler --network none box sh -c \
    'dd if=/dev/zero of=/big bs=1M count=500 conv=fsync; echo dd: $?'
  # Otherwise writes wait for a minute, and then for the next ones.
  expect "$fs: the pool is full, and holds no writes" '*out_of_data_space*error_if_no_space*' dmsetup status
  expect "$fs: no layer is made in it" '*the pool docker-*-pool has no free block: remove images*' \
    tsengine $small run --rm --network none box true
  expect "$fs: it grows" '*Data Space Total: 943.7MB*' tsengine $large info
  expect "$fs: the container goes on in it" '*dd: 0' tsengine $large start -a filler
  expect "$fs: and new ones do" 'back' tsengine $large run --rm --network none box echo back
  expect "$fs: and the full one goes" 'filler' tsengine $large rm filler
  expect "$fs: its space comes back" '*' tsengine $large info
  used=$(dmsetup status | grep -o ' [0-9]*/14400 ' | cut -d/ -f1)
  [ "$used" -lt 1600 ] || fail "$fs: $used blocks are still used"
  check_pool "$root"
done
