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
# An option that is to be mended: the exit code and the length of the line as well, and nothing of the kernel's is left.
bad_option() {
  what=$1 wanted=$2
  shift 2
  got=$(tsengine --data-root $fresh -s devicemapper "$@" import /store/image.tar box 2>&1)
  status=$?
  case $got in "tsengine: devicemapper"$wanted) ;; *) fail "$what: wanted $wanted, got $got" ;; esac
  [ $status = 125 ] || fail "$what: exit code $status"
  [ ${#got} -le 250 ] || fail "$what: ${#got} characters: $got"
  [ ! -e $fresh/devicemapper ] || fail "$what: something was made: $(find $fresh/devicemapper)"
  [ -z "$(losetup -a)" ] || fail "$what: $(losetup -a)"
  dmsetup ls | grep docker && fail "$what: devices are left"
  echo "ok $what: $got"
}
bad_option 'an unknown option' ' has no option dm.nosuch: it takes *' --storage-opt dm.nosuch=1
bad_option "another driver's option" " has no option zfs.fsname: *choose --storage-driver zfs" --storage-opt zfs.fsname=tank
bad_option 'an unknown filesystem' ': *dm.fs=btrfs: choose ext4 or xfs' --storage-opt dm.fs=btrfs
bad_option 'an option out of range' ': dm.blocksize=1K is out of range*' --storage-opt dm.blocksize=1K
bad_option 'no size' ": dm.basesize: invalid size: 'x': give a number with a unit*" --storage-opt dm.basesize=x
for size in 99999p 7000p 17T 1M; do
  bad_option "a base device of $size" ": dm.basesize=$size is out of range: give 16M to 16T" --storage-opt dm.basesize=$size
done
for size in 99999p 7000p 65T 1M; do
  bad_option "data of $size" ": dm.loopdatasize=$size is out of range: give 16M to 64T" --storage-opt dm.loopdatasize=$size
done
for size in 99999p 17G 4k; do
  bad_option "metadata of $size" ": dm.loopmetadatasize=$size is out of range: give 2M to 16G" --storage-opt dm.loopmetadatasize=$size
done
# What is found out by trying is undone.
pools='--storage-opt dm.basesize=512M --storage-opt dm.loopdatasize=1G --storage-opt dm.loopmetadatasize=16M'
bad_option 'too little metadata' ': the kernel makes no pool of 15*give a larger dm.loopmetadatasize*' \
  --storage-opt dm.loopdatasize=14T --storage-opt dm.loopmetadatasize=2M
for fs in xfs ext4; do
  bad_option "a bad argument for mkfs.$fs" ": mkfs.$fs failed: *: mend dm.mkfsarg, or leave it out" $pools --storage-opt dm.fs=$fs --storage-opt dm.mkfsarg=--nosuch
  bad_option "a bad mount option for $fs" ": /dev/* cannot be mounted with dm.mountopt=nosuchopt (*): leave out what $fs does not take*" \
    $pools --storage-opt dm.fs=$fs --storage-opt dm.mountopt=nosuchopt
done
bad_option 'a base device that xfs does not take' ': mkfs.xfs failed: *larger than 300MB: give a larger dm.basesize*' $pools --storage-opt dm.fs=xfs --storage-opt dm.basesize=16M
bad_option 'a pool that is too small' ': mkfs.ext4 failed: *dm.loopdatasize*' $pools --storage-opt dm.fs=ext4 --storage-opt dm.basesize=2G --storage-opt dm.loopdatasize=16M
bad_option 'tables that fill the pool' ": the pool has 1073741824 bytes, less than ext4's tables take*" $pools --storage-opt dm.fs=ext4 --storage-opt dm.basesize=16T
# Two at once: what the one takes away is not missed by the other.
tsengine --data-root $fresh -s devicemapper $pools --storage-opt dm.mkfsarg=--nosuch import /store/image.tar bad >/store/bad.txt 2>&1 & bad=$!
tsengine --data-root $fresh -s devicemapper $pools import /store/image.tar box >/dev/null || fail "one beside one that fails: $(cat /store/bad.txt)"
wait $bad
expect 'one beside one that fails' works tsengine --data-root $fresh -s devicemapper run --rm --network none box echo works
check_pool $fresh
rm -rf $fresh; mkdir $fresh
# Files that a kill left stay where the next set-up fails, and the one after it goes on with them.
mkdir /store/killing
printf '#!/bin/sh\nkill -9 $PPID\n' >/store/killing/mkfs.ext4
chmod +x /store/killing/mkfs.ext4
PATH=/store/killing:$PATH tsengine --data-root $fresh -s devicemapper $pools --storage-opt dm.fs=ext4 import /store/image.tar box
[ -e $fresh/devicemapper/devicemapper/data ] || fail 'a kill within mkfs left nothing'
expect 'a bad option after a kill' '*mend dm.mkfsarg*' tsengine --data-root $fresh -s devicemapper $pools --storage-opt dm.mkfsarg=--nosuch import /store/image.tar box
[ -e $fresh/devicemapper/devicemapper/data ] || fail 'files that were there are gone'
tsengine --data-root $fresh -s devicemapper $pools import /store/image.tar box >/dev/null || fail 'import after a kill'
expect 'a good one after it' works tsengine --data-root $fresh -s devicemapper run --rm --network none box echo works
# A store that cannot be written.
mount --bind $fresh/devicemapper $fresh/devicemapper && mount -o remount,ro,bind $fresh/devicemapper || fail 'a read-only store'
expect 'a read-only store' "tsengine: devicemapper: $fresh/devicemapper is on a read-only file system: choose another data root, or look at it with --read-only-root" \
  tsengine --data-root $fresh -s devicemapper run --rm --network none box true
umount $fresh/devicemapper
check_pool $fresh
rm -rf $fresh; mkdir $fresh
# A pool on block devices stays, and is empty again.
devices="--storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$two --storage-opt dm.basesize=512M"
dd if=/dev/zero of=$two bs=4096 count=1 2>/dev/null
bad_option 'a bad argument on block devices' ': mkfs.* failed: *: mend dm.mkfsarg, or leave it out' $devices --storage-opt dm.mkfsarg=--nosuch
tsengine --data-root $fresh -s devicemapper $devices import /store/image.tar box >/dev/null || fail 'import on block devices'
check_pool $fresh $two
rm -rf $fresh; mkdir $fresh
refused 'a pool that is not there' 'there is no thin pool /dev/mapper/none: make it*' --storage-opt dm.thinpooldev=/dev/mapper/none
refused 'a device that is not there' 'there is no /dev/none*' --storage-opt dm.datadev=/dev/none
refused 'a device that is none' '/etc/passwd is no block device*' --storage-opt dm.datadev=/etc/passwd
refused 'direct-lvm without LVM' '*needs *, which is missing: install the package lvm2' --storage-opt dm.directlvm_device=$one
# The beginning of what a pool left.
echo something | dd of=$two conv=notrunc 2>/dev/null
refused 'damaged metadata' "the pool's metadata on $two is damaged: run thin_check *" --storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$two
dd if=/dev/zero of=$two bs=4096 count=1 2>/dev/null
echo something | dd of=$two conv=notrunc 2>/dev/null
refused 'metadata of something else' "$two holds no thin pool's metadata*" --storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$two
dd if=/dev/zero of=$two bs=4096 count=1 2>/dev/null
mv /usr/sbin/mkfs.ext4 /store/mkfs.ext4
refused 'a missing mkfs' 'mkfs.ext4 is missing*install the package e2fsprogs' --storage-opt dm.fs=ext4
mv /store/mkfs.ext4 /usr/sbin/mkfs.ext4

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
expect 'a damaged file' "*metadata/$layer is damaged (field \"device_id\": *" use run --rm --network none box true
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

# What is gone or damaged is named, and so is what to do about each.
meta=$root/devicemapper/metadata files=$root/devicemapper/devicemapper
use run --name kept --network none box sh -c 'echo kept >/kept' || fail 'a container to keep'
check_pool $root
mv $files/data /store/data
ends 1 'looking without the data' "*are in a pool that is not there, and neither is its loop file $files/data: *" tsengine --read-only-root --data-root $root export kept
mv /store/data $files/data
for name in data metadata; do
  size=$(stat -c %s $files/$name)
  cp --sparse=always $files/$name /store/whole
  truncate -s 8M $files/$name
  cut="tsengine: devicemapper: $files/$name has 8388608 bytes of the $size that the pool was made of: put it back from a backup"
  ends 1 "$name that lost its end" "$cut" use info
  # To let it grow to what is asked for would hide that.
  ends 125 "$name that lost its end, and a size for it" "$cut" use $pools --storage-opt dm.loopdatasize=3G --storage-opt dm.loopmetadatasize=32M run --rm --network none box true
  [ $(stat -c %s $files/$name) = 8388608 ] || fail "$name has grown over the loss"
  [ -z "$(losetup -a | grep " ($root/")" ] || fail "$name: $(losetup -a)"
  rm $files/$name && mv /store/whole $files/$name
done
for name in $(ls $meta | grep -E '^[0-9a-f]{64}$'); do
  cp $meta/$name /store/kept-$name
  sed -i 's/"device_id":[0-9]*/"device_id":777777/' $meta/$name
done
ends 125 'devices that the pool does not have' '*the pool docker-*-pool has no device 777777 for layer *: it is another pool *' use run --rm --network none box true
for name in $(ls $meta | grep -E '^[0-9a-f]{64}$'); do cp /store/kept-$name $meta/$name; done
cp $meta/transaction-metadata /store/transaction
sed -i 's/"open_transaction_id":/&9/' $meta/transaction-metadata
before=$(cat $meta/* | sha256sum)
ends 125 'a step of an older pool' '*/transaction-metadata is at step 9*, and the pool docker-*-pool at *' use run --rm --network none box true
[ "$before" = "$(cat $meta/* | sha256sum)" ] || fail 'something was changed'
cp /store/transaction $meta/transaction-metadata
for name in transaction-metadata deviceset-metadata base; do
  # One of them is looked at when the pool comes up.
  LOST=yes check_pool $root
  echo '{' >$meta/$name
  ends 125 "a damaged $name" "*/$name is damaged (*): put it back from a backup, or remove it: *" use run --rm --network none box true
  rm $meta/$name
  ends 0 "and a removed one" 'works' use run --rm --network none box echo works
done
use import /store/image.tar afresh >/dev/null || fail 'import on a base device made anew'
ends 0 'and what was there stays' 'kept' sh -c "tsengine --data-root $root -s devicemapper export kept | tar -xO kept"
# The same while the pool is there.
ends 0 'data that grows' works use --storage-opt dm.loopdatasize=3G run --rm --network none box echo works
truncate -s 2G $files/data
ends 125 'data that lost its end below the pool' "*$files/data has 2147483648 bytes of the 3221225472 that *" use --storage-opt dm.loopdatasize=4G run --rm --network none box true
truncate -s 3G $files/data
LOST=yes check_pool $root
