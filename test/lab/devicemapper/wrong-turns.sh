# A wrong device, a pool in use elsewhere and steps that were interrupted: what a root has is there afterwards.
set -u
. "$(dirname "$0")/common.sh"
one=$(readlink -f /dev/lab/disk1) two=$(readlink -f /dev/lab/disk2) large=$(readlink -f /dev/lab/disk3)
small='--storage-opt dm.fs=ext4 --storage-opt dm.basesize=512M'
poolname() { dmsetup ls | grep -o "docker-[0-9:]*-$(stat -c %i "$1/devicemapper")-pool"; }
down() { dmsetup remove --retry "$(poolname "$1")" || fail "taking $1 down"; }

# The data is named wrongly, as when names of disks have changed: a larger one must not count from then on.
root=/store/root
use() { tsengine --data-root $root -s devicemapper $small "$@"; }
right="--storage-opt dm.datadev=$one --storage-opt dm.metadatadev=$two"
use $right import /store/image.tar box >/dev/null || fail import
down $root
mkfs.ext4 -q $large
before=$(head -c 64M $large | sha256sum)
ends 1 'data on a wrong, larger device' '*' use --storage-opt dm.datadev=$large --storage-opt dm.metadatadev=$two info
dmsetup ls | grep docker && fail 'the wrong pool stays'
[ "$before" = "$(head -c 64M $large | sha256sum)" ] || fail 'the wrong device was written to'
ends 0 'and the right one after it' works use $right run --rm --network none box echo works
down $root
other() { tsengine --data-root /store/other -s devicemapper $small "$@"; }
wipefs -q -a $large
ends 1 "another root's metadata with files of ours" "tsengine: devicemapper: unable to take ownership of $two, which is the metadata of a thin pool that was used: *" \
  other --storage-opt dm.metadatadev=$two --storage-opt dm.loopdatasize=4G import /store/image.tar box
[ ! -e /store/other/devicemapper ] || fail "something was made: $(find /store/other/devicemapper)"
ends 0 'and the other root after it' works use $right run --rm --network none box echo works
# A device that has grown is used as soon as it is known.
down $root
dmsetup create grown --table "0 $(blockdev --getsz $one) linear $one 0" && dmsetup mknodes
ends 0 'data by another name' '*' use --storage-opt dm.datadev=/dev/mapper/grown --storage-opt dm.metadatadev=$two info
down $root
printf '0 %s linear %s 0\n%s %s linear %s 0\n' "$(blockdev --getsz $one)" $one "$(blockdev --getsz $one)" 1048576 $large | dmsetup reload grown
dmsetup resume grown
ends 0 'a device that has grown' '*Data Space Total: 1.611GB*' use --storage-opt dm.datadev=/dev/mapper/grown --storage-opt dm.metadatadev=$two info
down $root
dmsetup remove grown

# Metadata of which the first block is lost is no new pool's.
root=/store/files
loops='--storage-opt dm.loopdatasize=1G --storage-opt dm.loopmetadatasize=16M'
use $loops import /store/image.tar box >/dev/null || fail import
use run --name kept --network none box sh -c 'echo kept >/kept' || fail 'a container to keep'
down $root
metadata=$root/devicemapper/devicemapper/metadata
cp --sparse=always $metadata /store/metadata
dd if=/dev/zero of=$metadata bs=4096 count=1 conv=notrunc 2>/dev/null
lost=$(sha256sum <$metadata)
ends 1 'metadata that has lost its first block' "tsengine: devicemapper: $metadata holds no pool's metadata, and the layers in $root/devicemapper are *thin_repair*" use info
[ "$lost" = "$(sha256sum <$metadata)" ] || fail 'what is left of the metadata was written to'
cp --sparse=always /store/metadata $metadata

# Somebody looks through the pool's files, who writes nothing: the pool would change below him.
mkfifo /store/wait
tsengine --read-only-root --data-root $root export kept >/store/wait & looking=$!
exec 3</store/wait
for again in $(seq 100); do dmsetup ls | grep -q -- '-view-' && break; sleep 0.1; done
head -c 512 <&3 >/dev/null
ends 1 'a pool that somebody looks through' "tsengine: devicemapper: a command with --read-only-root reads the layers in $root/devicemapper through *: wait until it has ended" use info
cat <&3 >/dev/null
exec 3<&-
wait $looking || fail 'looking'
ends 0 'and when he is done' works use run --rm --network none box echo works

# One who looked and was killed before his devices were to go by themselves.
prefix=$(poolname $root) && prefix=${prefix%-pool}
down $root
data=$(losetup -r --show -f $root/devicemapper/devicemapper/data) meta=$(losetup -r --show -f $metadata)
dmsetup create "$prefix-view-999999-0-pool" --table "0 2097152 thin-pool $meta $data 128 0 1 read_only" || fail 'a pool to look through'
below=$(dmsetup info -c --noheadings -o major,minor "$prefix-view-999999-0-pool")
dmsetup create "$prefix-view-999999-0" -r --table "0 1048576 thin $below 0" || fail 'a device to look at'
losetup -d $data $meta
ends 0 'after one who was killed' works use run --rm --network none box echo works
dmsetup ls | grep -- '-view-' && fail 'what he left is still there'

# A kill while the kernel makes the metadata, which knows no data until the pool goes on.
mkdir -p -m 700 /store/early/devicemapper/devicemapper
for name in data:1G metadata:16M; do truncate -s ${name#*:} /store/early/devicemapper/devicemapper/${name%:*}; done
data=$(losetup --show -f /store/early/devicemapper/devicemapper/data) meta=$(losetup --show -f /store/early/devicemapper/devicemapper/metadata)
dmsetup create early --notable && dmsetup load early --table "0 2097152 thin-pool $meta $data 128 32768 2 skip_block_zeroing error_if_no_space" || fail 'a table that is not taken'
dmsetup remove early && losetup -d $data $meta
[ "$(head -c 4096 /store/early/devicemapper/devicemapper/metadata | tr -d '\0' | wc -c)" -gt 0 ] || fail 'the kernel made no metadata'
ends 0 'after a kill while the metadata was made' '*Data Space Total: 1.074GB*' tsengine --data-root /store/early -s devicemapper $small info
check_pool /store/early

# More data than the metadata can count: the kernel would give the pool up.
ends 125 'data that the metadata cannot count' "tsengine: devicemapper: the metadata of the pool docker-* has * free blocks *, and * are wanted to have *: give it more (dm.loopmetadatasize *" \
  use --storage-opt dm.loopdatasize=14T info
[ $(stat -c %s $root/devicemapper/devicemapper/data) = 1073741824 ] || fail 'the file of the data has grown'
ends 0 'the pool goes on' works use run --rm --network none box echo works
ends 0 'with more metadata at once' works use --storage-opt dm.loopdatasize=14T --storage-opt dm.loopmetadatasize=256M run --rm --network none box echo works
expect 'it has grown' '*/65536 *' dmsetup status --target thin-pool
check_pool $root

# A base device whose kill came between its new size and its filesystem's, with the mount that it left.
sed -i 's/"size":[0-9]*/"size":1073741824/' $root/devicemapper/metadata/base
use() { tsengine --data-root $root -s devicemapper --storage-opt dm.fs=ext4 "$@"; }
ends 0 'a command that asks for no size' works use run --rm --network none box echo works
echo other >/store/image/other && tar -C /store/image -c . >/store/other.tar
use --storage-opt dm.basesize=1G import /store/other.tar larger >/dev/null || fail 'import on what has grown'
expect 'the base device has grown' '*9[0-9][0-9].[0-9]M*' use run --rm --network none larger df -h /

# Docker's own pools hold writes when they are full: ours do not, and one that Docker left becomes ours.
table=$(dmsetup table "$(poolname $root)" | sed 's/ [0-9] skip_block_zeroing.*/ 1 skip_block_zeroing/')
dmsetup reload "$(poolname $root)" --table "$table" && dmsetup resume "$(poolname $root)" || fail "Docker's table"
use info >/dev/null || fail info
expect "a pool that Docker left" '*error_if_no_space*' dmsetup table "$(poolname $root)"
check_pool $root

# A pool of somebody's, in which a set-up was killed, and failed after that, is empty again.
truncate -s 64M /store/named-metadata && truncate -s 1G /store/named-data
meta=$(losetup --show -f /store/named-metadata) data=$(losetup --show -f /store/named-data)
dmsetup create named --table "0 2097152 thin-pool $meta $data 128 0 1 skip_block_zeroing" || fail 'a named pool'
named() { tsengine --data-root /store/named -s devicemapper $small --storage-opt dm.thinpooldev=/dev/mapper/named "$@"; }
mkdir /store/killing
printf '#!/bin/sh\n/usr/sbin/mkfs.ext4 "$@"; kill -9 $PPID\n' >/store/killing/mkfs.ext4
chmod +x /store/killing/mkfs.ext4
PATH=/store/killing:$PATH named info
[ -e /store/named/devicemapper/metadata/base ] || fail 'a kill within mkfs left nothing'
for again in 1 2; do ends 125 'a bad option after a kill' '*mend dm.mkfsarg*' named --storage-opt dm.mkfsarg=--nosuch info; done
named import /store/image.tar box >/dev/null || fail 'import after a kill and a failure'
expect 'the size of a pool is not ours to change' '2097152' sh -c \
  "tsengine --data-root /store/named -s devicemapper --storage-opt dm.thinpooldev=named --storage-opt dm.loopdatasize=4G info >/dev/null; dmsetup table named | cut -d' ' -f2"

# A layer that was removed while somebody had it, whose pool stays over a reboot.
named create --name busy --network none box true >/dev/null || fail create
layer=$(ls -t /store/named/devicemapper/metadata | grep -E '^[0-9a-f]{64}$' | head -n 1)
mkdir /store/holding
pool=$(dmsetup info -c --noheadings -o major,minor named)
id=$(grep -o '"device_id":[0-9]*' /store/named/devicemapper/metadata/$layer | cut -d: -f2)
dmsetup create holder --table "0 1048576 thin $pool $id" && dmsetup mknodes && mount -o ro /dev/mapper/holder /store/holding || fail 'a holder'
named rm busy >/dev/null || fail 'rm of what is in use'
grep -q '"deleted":true' /store/named/devicemapper/metadata/$layer || fail 'it went although somebody had it'
umount /store/holding && dmsetup remove holder
rm -rf /run/tsengine*
named create --name after --network none box true >/dev/null && named rm after >/dev/null || fail 'after a reboot'
[ ! -e /store/named/devicemapper/metadata/$layer ] || fail 'a layer that was removed stays'
dmsetup ls | grep -o 'docker-[^ 	]*' | xargs -r -n 1 dmsetup remove --retry
dmsetup remove named
thin_check $meta >/dev/null 2>&1 || fail 'thin_check of the named pool'
losetup -d $meta $data

# Two roots that are given the same empty pool at once: one has it.
dd if=/dev/zero of=/store/named-metadata bs=4096 count=1 conv=notrunc 2>/dev/null
meta=$(losetup --show -f /store/named-metadata) data=$(losetup --show -f /store/named-data)
dmsetup create named --table "0 2097152 thin-pool $meta $data 128 0 1 skip_block_zeroing" || fail 'an empty pool'
for name in left right; do
  tsengine --data-root /store/$name -s devicemapper $small --storage-opt dm.thinpooldev=named info >/store/$name.txt 2>&1 &
done
wait
[ "$(grep -l 'unable to take ownership of the thin pool named' /store/left.txt /store/right.txt | wc -l)" = 1 ] ||
  fail "both or neither have it: $(cat /store/left.txt /store/right.txt)"
dmsetup ls | grep -o 'docker-[^ 	]*' | xargs -r -n 1 dmsetup remove --retry
dmsetup remove named
losetup -d $meta $data
exit 0
