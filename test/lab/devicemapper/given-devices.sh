# Devices that are named: what others hold or what holds something is refused with the way out, and a root's own are known again.
set -u
. "$(dirname "$0")/common.sh"
one=$(readlink -f /dev/lab/disk1) two=$(readlink -f /dev/lab/disk2) three=$(readlink -f /dev/lab/disk3)
small='--storage-opt dm.basesize=512M'
on="--storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$two"
root=/store/root
use() { tsengine --data-root $root -s devicemapper "$@"; }
# Where all that makes something of a device begins. A filesystem that is mounted writes there itself.
sum() { grep -q "^$three " /proc/mounts || head -c 16M $three | sha256sum; }
# Another root, which must not be made.
refused() {
  what=$1 wanted=$2
  shift 2
  before=$(sum)
  expect "$what" "tsengine: devicemapper: $wanted" tsengine --data-root /store/other -s devicemapper $small "$@" info
  [ ! -e /store/other/devicemapper ] || fail "$what: something was made: $(find /store/other/devicemapper)"
  [ "$before" = "$(sum)" ] || fail "$what: $three was written to"
}

use $on $small --storage-opt dm.fs=ext4 import /store/image.tar box >/dev/null || fail import
pool=$(dmsetup ls | grep -o 'docker-[^ 	]*-pool')
by="is in use by $pool, the pool of another data root: name another device, or stop what uses that and take it down (dmsetup remove $pool) first"
refused "data of another root's pool" "$one $by" --storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$three
refused "its metadata as data" "$two $by" --storage-opt dm.datadev=$two
refused "its metadata" "$two $by" --storage-opt dm.datadev=$three --storage-opt dm.metadatadev=$two
refused 'a link to it' "/dev/lab/disk1 $by" --storage-opt dm.datadev=/dev/lab/disk1
refused 'one device for both' "$three and /dev/lab/disk3 are the same device: *" --storage-opt dm.datadev=$three --storage-opt dm.metadatadev=/dev/lab/disk3
expect 'the root itself' works use $on run --rm --network none box echo works

# The filesystem that it has, said by every command.
for again in 1 2; do
  expect 'another filesystem' '*the base device has ext4 on it already: dm.fs=xfs is ignored*' use $on --storage-opt dm.fs=xfs info
done
expect 'the same one' works use $on --storage-opt dm.fs=ext4 run --rm --network none box echo works

# Without its devices, with the pool and without, and with the record of them and without.
named="the pool of $root/devicemapper is on devices that this command does not name: add --storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$two, to every command or in daemon.json (storage-opts)"
ends 125 'devices left out' "tsengine: devicemapper: $named; where that pool is of a root that is gone, take it down: dmsetup remove $pool" use info
ends 125 'one of them left out' "tsengine: devicemapper: $named; *" use --storage-opt dm.datadev=$one info
record=$root/devicemapper/.tsengine/given-devices.json
mv $record /store/record
ends 125 'devices left out, of a root without a record' "tsengine: devicemapper: $named; *" use info
mv /store/record $record
use $on run --name kept --network none box true || fail 'a container to keep'
check_pool $root $two
ends 125 'devices left out, of a pool that is not there' "tsengine: devicemapper: $named" use info
ends 125 'looking without them' "tsengine: devicemapper: $named" tsengine --read-only-root --data-root $root export kept
mv $record /store/record
ends 1 'the same, without a record' '*are in a pool that is not there*or its devices with dm.datadev and dm.metadatadev, as when it was made' use info
# Metadata that is none would get a new pool.
ends 1 'the wrong metadata' "tsengine: devicemapper: $three holds no pool's metadata, and the layers in $root/devicemapper are in a pool that has some: *" \
  use --storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$three info
cmp -s -n 4096 $three /dev/zero || fail 'a pool was made on the wrong metadata'
expect 'the root again' works use $on run --rm --network none box echo works
[ -e $record ] || fail 'the record was not made anew'
check_pool $root $two

# What others hold, and what holds something.
mkfs.ext4 -q $three && mkdir /store/mounted && mount $three /store/mounted || fail 'mount'
echo kept >/store/mounted/file && sync
refused 'a mounted disk' "$three is mounted on /store/mounted: name another device, or unmount it (umount /store/mounted) first" --storage-opt dm.datadev=$three
refused 'a mounted disk as metadata' "$three is mounted on /store/mounted: *" --storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$three
umount /store/mounted
refused 'a filesystem' "$three holds ext4, which a pool would overwrite: name another device, or, where nobody needs that, erase it (wipefs -a $three)" --storage-opt dm.datadev=$three
refused 'a filesystem as metadata' "$three holds ext4, which a pool would overwrite: *erase it (wipefs -a $three && dd if=/dev/zero of=$three bs=4096 count=1)" \
  --storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$three
dd if=/dev/zero of=$three bs=1M count=1 conv=notrunc 2>/dev/null
mkswap -q $three && swapon $three || fail swapon
refused 'swap' "$three is in use as swap: name another device, or end that (swapoff $three) first" --storage-opt dm.datadev=$three
swapoff $three
refused 'what was swap' "$three holds swap, *" --storage-opt dm.datadev=$three
wipefs -q -a $three
dmsetup create taken --table "0 2048 linear $three 0"
refused 'a device on it' "$three is in use by the device-mapper device taken: *(dmsetup remove taken) first" --storage-opt dm.datadev=$three
dmsetup remove taken

# A set-up that fails or is killed leaves nothing that the next one takes for somebody's.
third="tsengine --data-root /store/third -s devicemapper $small --storage-opt dm.datadev=$three --storage-opt dm.loopmetadatasize=16M"
for fs in xfs ext4; do
  expect "a bad mount option for $fs" '*cannot be mounted with dm.mountopt=nosuchopt*' $third --storage-opt dm.fs=$fs --storage-opt dm.mountopt=nosuchopt info
  [ ! -e /store/third/devicemapper ] || fail 'a set-up that failed was not undone'
done
mkdir /store/killing
printf '#!/bin/sh\n/usr/sbin/mkfs.ext4 "$@"; kill -9 $PPID\n' >/store/killing/mkfs.ext4
chmod +x /store/killing/mkfs.ext4
PATH=/store/killing:$PATH $third --storage-opt dm.fs=ext4 info
[ -e /store/third/devicemapper ] || fail 'a kill within mkfs left nothing'
$third import /store/image.tar box >/dev/null || fail 'import after a kill'
expect 'after them' works $third run --rm --network none box echo works
expect 'and again' works $third run --rm --network none box echo works
check_pool /store/third
wipefs -q -a $three

# Two at once: one has it, or none, and the other says so.
for name in left right; do
  tsengine --data-root /store/$name -s devicemapper $small --storage-opt dm.datadev=$three --storage-opt dm.loopmetadatasize=16M info >/store/$name.txt 2>&1 &
done
wait
had=$(dmsetup ls | grep -c 'docker-.*-pool') || true
[ "$had" -le 1 ] || fail 'two pools on one device'
said=$(grep -l -E "$three (is in use by docker-|holds )" /store/left.txt /store/right.txt | wc -l)
[ $((had + said)) -ge 2 ] || fail "one of two at once said nothing: $(cat /store/left.txt /store/right.txt)"
dmsetup ls | grep -o 'docker-[^ 	]*-pool' | xargs -r dmsetup remove --retry
echo 'ok two at once'

# Loop devices on one file, one of which may be another root's own.
truncate -s 1G /store/shared
first=$(losetup --show -f /store/shared) second=$(losetup --show -f /store/shared)
looped() { tsengine --data-root /store/looped -s devicemapper $small --storage-opt dm.loopmetadatasize=16M "$@"; }
looped --storage-opt dm.datadev=$first import /store/image.tar box >/dev/null || fail 'import on a loop device'
refused 'a loop device on the file of another root' "$second (as $first) is in use by docker-*-pool, the pool of another data root: *" --storage-opt dm.datadev=$second
refused 'the same loop device' "$first is in use by docker-*-pool, the pool of another data root: *" --storage-opt dm.datadev=$first
ends 125 'a loop device left out' "tsengine: devicemapper: the pool of /store/looped/devicemapper is on devices that this command does not name: add --storage-opt dm.datadev=$first, *" looped info
expect 'its own root' works looped --storage-opt dm.datadev=$first run --rm --network none box echo works
check_pool /store/looped
losetup -d $first $second
files=/store/files
own() { tsengine --data-root $files -s devicemapper $small --storage-opt dm.loopdatasize=1G --storage-opt dm.loopmetadatasize=16M "$@"; }
own import /store/image.tar box >/dev/null || fail 'import on loop files'
first=$(losetup --show -f $files/devicemapper/devicemapper/data)
refused "another root's loop file" "$first (as /dev/loop*) is in use by docker-*-pool, the pool of another data root: *" --storage-opt dm.datadev=$first
check_pool_but_loops() { pool=$(dmsetup ls | grep -o 'docker-[^ 	]*-pool'); dmsetup remove --retry "$pool"; }
check_pool_but_loops
dmsetup create taken --table "0 2048 linear $first 0"
ends 1 'loop files that others use' "tsengine: devicemapper: $files/devicemapper/devicemapper/data (as $first) is in use by the device-mapper device taken: stop what uses that and take it down (dmsetup remove taken) first" own info
dmsetup remove taken
expect 'loop files that somebody only attached' works own run --rm --network none box echo works
losetup -d $first
check_pool $files
dmsetup ls | grep docker && fail 'devices are left'
[ -z "$(losetup -a)" ] || fail "loop devices are left: $(losetup -a)"
exit 0
