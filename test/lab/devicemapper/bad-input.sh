# What is wrong is told in one line with the way out, and nothing is made or changed.
set -u
. "$(dirname "$0")/common.sh"
one=$(readlink -f /dev/lab/disk1) two=$(readlink -f /dev/lab/disk2)
fresh=/store/fresh
mkdir -p $fresh
refused() {
  what=$1 wanted=$2
  shift 2
  expect "$what" "tsengine: devicemapper: $wanted" tsengine --data-root $fresh -s devicemapper "$@" import /store/image.tar box
  [ ! -e $fresh/devicemapper ] || fail "$what: something was made: $(find $fresh/devicemapper)"
}
refused 'an unknown option' 'unknown option dm.nosuch' --storage-opt dm.nosuch=1
refused 'an unknown filesystem' '*dm.fs=btrfs: choose ext4 or xfs' --storage-opt dm.fs=btrfs
refused 'an option out of range' 'dm.blocksize=1K is out of range*' --storage-opt dm.blocksize=1K
refused 'a pool that is not there' 'there is no thin pool /dev/mapper/none: make it*' --storage-opt dm.thinpooldev=/dev/mapper/none
refused 'a device that is not there' 'there is no /dev/none*' --storage-opt dm.datadev=/dev/none
refused 'a device that is none' '/etc/passwd is no block device*' --storage-opt dm.datadev=/etc/passwd
refused 'direct-lvm without LVM' '*needs pvcreate, which is missing: install the package lvm2' --storage-opt dm.directlvm_device=$one
echo something | dd of=$two conv=notrunc 2>/dev/null
refused 'metadata of something else' "$two holds no thin pool's metadata*" --storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$two
dd if=/dev/zero of=$two bs=4096 count=1 2>/dev/null
mv /usr/sbin/mkfs.ext4 /store/mkfs.ext4
refused 'a missing mkfs' 'mkfs.ext4 is missing*install the package e2fsprogs' --storage-opt dm.fs=ext4
mv /store/mkfs.ext4 /usr/sbin/mkfs.ext4

pools='--storage-opt dm.basesize=512M --storage-opt dm.loopdatasize=1G --storage-opt dm.loopmetadatasize=16M'
root=/store/root
use() { tsengine --data-root $root -s devicemapper "$@"; }
use $pools import /store/image.tar box >/dev/null || fail import
expect 'another block size' '*dm.blocksize is 524288 bytes, and the pool * has blocks of 65536 bytes*' use --storage-opt dm.blocksize=512K images
expect 'a smaller base device' '*dm.basesize is 104857600 bytes, and the base device has 536870912*' use --storage-opt dm.basesize=100M info
expect 'a size below the image' '*container size 104857600 is too small*' use run --rm --network none --storage-opt size=100M box true
pool=$(dmsetup ls | grep -o 'docker-[^ 	]*-pool')
expect 'a pool with devices of others' '*unable to take ownership of the thin pool*' \
  tsengine --data-root /store/other -s devicemapper --storage-opt dm.thinpooldev=$pool import /store/image.tar box
layer=$(ls $root/devicemapper/metadata | grep -E '^[0-9a-f]{64}$' | head -n 1)
cp $root/devicemapper/metadata/$layer /store/kept
echo '{"device_id":"x"}' >$root/devicemapper/metadata/$layer
expect 'a damaged file' "*metadata/$layer is damaged (device_id: *" use run --rm --network none box true
cp /store/kept $root/devicemapper/metadata/$layer
check_pool $root
thin_metadata=$root/devicemapper/devicemapper/metadata
mv $root/devicemapper/devicemapper/data /store/data
expect 'a pool that is gone' '*are in a pool that is not there*name it with --storage-opt dm.thinpooldev=*' use info
mv /store/data $root/devicemapper/devicemapper/data
mv $thin_metadata /store/metadata
expect 'lost metadata' "*are in a pool that is not there, and neither is its loop file $thin_metadata*" use info
[ ! -e $thin_metadata ] || fail 'lost metadata was made anew'
mv /store/metadata $thin_metadata

# Another home's pool, of fewer transactions: what ours has begun is not undone there.
other='tsengine --data-root /store/foreign -s devicemapper'
$other $pools import /store/image.tar box >/dev/null || fail 'import elsewhere'
foreign=$(dmsetup ls | grep -o 'docker-[^ 	]*-pool')
use run --name last --network none box true || fail 'a last container'
check_pool $root
state() { cat $root/devicemapper/metadata/* | sha256sum; dmsetup status $foreign; }
before=$(state)
expect 'the wrong pool' "*UUID is * and not *: $foreign is another pool than the layers were made in" \
  use --storage-opt dm.thinpooldev=$foreign info
[ "$before" = "$(state)" ] || fail "something was changed: $before; $(state)"
expect 'and the right one after it' 'works' use run --rm --network none box echo works
expect 'the wrong one, while the right one is there' '*UUID is * and not *' use --storage-opt dm.thinpooldev=$foreign info
expect 'and the right one again' 'works' use run --rm --network none box echo works
check_pool $root

# A pool whose home is gone, and a home that has its name.
find /store/foreign -mindepth 1 -maxdepth 1 ! -name devicemapper -exec rm -rf {} +
rm -rf /store/foreign/devicemapper/* /store/foreign/devicemapper/.tsengine
sleep 1000 </dev/mapper/$foreign & held=$!
expect 'a pool of a home that is gone, in use' "*the pool $foreign is on loop files that are no longer in *" $other $pools import /store/image.tar box
kill $held; wait $held
$other $pools import /store/image.tar box >/dev/null || fail 'a pool of a home that is gone'
losetup -a | grep deleted && fail 'a pool is on files that are gone'
expect 'one of its own' 'works' $other run --rm --network none box echo works
expect 'devices that it is not on' '*has its data on /dev/loop*, not on '$one': leave dm.datadev out*' $other --storage-opt dm.datadev=$one images
check_pool /store/foreign

# What a kill leaves between open and ftruncate.
mkdir -p -m 700 /store/killed/devicemapper/devicemapper
: >/store/killed/devicemapper/devicemapper/data
: >/store/killed/devicemapper/devicemapper/metadata
tsengine --data-root /store/killed -s devicemapper --storage-opt dm.basesize=512M --storage-opt dm.loopdatasize=1G import /store/image.tar box >/dev/null || fail 'empty loop files'
check_pool /store/killed

# The flag that the kernel sets when it gives up on a pool's metadata; the checksum is of all that follows it.
python3 - $thin_metadata <<'PYTHON'
import sys
with open(sys.argv[1], 'r+b') as file:
    block = bytearray(file.read(4096))
    block[4] |= 1
    table = []
    for n in range(256):
        for _ in range(8): n = (n >> 1) ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    crc = 0xffffffff
    for byte in block[4:]: crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    block[:4] = (crc ^ 160774).to_bytes(4, 'little')
    file.seek(0)
    file.write(block)
PYTHON
expect 'a pool that needs a check' "*metadata on $thin_metadata needs a check: run thin_check --clear-needs-check-flag*" use info
thin_check --clear-needs-check-flag $thin_metadata >/dev/null || fail thin_check
expect 'and one that had it' 'works' use run --rm --network none box echo works
check_pool $root
