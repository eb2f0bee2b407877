# A thin pool that the driver has LVM make (dm.directlvm_device), as Docker's does, and one that somebody made (dm.thinpooldev).
set -u
. "$(dirname "$0")/common.sh"
one=$(readlink -f /dev/lab/disk1) two=$(readlink -f /dev/lab/disk2) three=$(readlink -f /dev/lab/disk3)
root=/store/root
direct() { tsengine --data-root $root -s devicemapper --storage-opt dm.basesize=1G "$@"; }

echo something | dd of=$one conv=notrunc 2>/dev/null
expect 'a device that holds something' "*$one is not empty: use dm.directlvm_device_force=true*" \
  direct --storage-opt dm.directlvm_device=$one import /store/image.tar box
[ -z "$(pvs --noheadings)" ] || fail 'LVM took a device that holds something'
mkfs.ext4 -q -F $three && mkdir /store/mounted && mount $three /store/mounted || fail mount
for force in false true; do
  expect "a mounted device, forced: $force" "tsengine: devicemapper: $three is mounted on /store/mounted: *" \
    direct --storage-opt dm.directlvm_device=$three --storage-opt dm.directlvm_device_force=$force import /store/image.tar box
done
umount /store/mounted && wipefs -q -a $three && dd if=/dev/zero of=$three bs=128k count=1 2>/dev/null

# A group of that name: nothing is touched.
vgcreate -q -y docker $three >/dev/null
expect 'a volume group docker that is there' "*there is one on $three: *dm.thinpooldev=docker-thinpool*" \
  direct --storage-opt dm.directlvm_device=$two import /store/image.tar box
expect 'and forced' "*there is one on $three: *" \
  direct --storage-opt dm.directlvm_device=$two --storage-opt dm.directlvm_device_force=true import /store/image.tar box
[ ! -e $root/devicemapper ] || fail "something was made: $(find $root/devicemapper)"
expect 'LVM has what it had' "$three" sh -c 'pvs --noheadings -o pv_name | tr -d " "'
# On the device that is named, with something in it.
force="--storage-opt dm.directlvm_device_force=true"
lvcreate -q -y -an -Zn -Wn -L 64M -n data docker >/dev/null || fail 'a volume of somebody'
expect 'one on the device itself that has a volume, forced' "*does not remove the volume group docker on $three, *docker/data*(vgremove docker) first" \
  direct --storage-opt dm.directlvm_device=$three $force import /store/image.tar box
expect 'and the volume is there' 'data' sh -c 'lvs --noheadings -o lv_name docker | tr -d " "'
vgremove -q -f -y docker >/dev/null && pvremove -q -y $three >/dev/null
# What cannot be made is undone: the spare of so much metadata has no room.
expect 'a pool that has no room' '*devicemapper: *' \
  direct --storage-opt dm.directlvm_device=$two --storage-opt dm.thinp_percent=55 --storage-opt dm.thinp_metapercent=44 \
  import /store/image.tar box
[ -z "$(pvs --noheadings)" ] || fail 'LVM keeps a device on which nothing could be made'
# A kill on the way.
pvcreate -q -y $one >/dev/null && vgcreate -q docker $one >/dev/null
expect 'what a kill left' "*$one is not empty: use dm.directlvm_device_force=true*" \
  direct --storage-opt dm.directlvm_device=$one import /store/image.tar box
made="--storage-opt dm.directlvm_device=$one --storage-opt dm.directlvm_device_force=true --storage-opt dm.thinp_percent=90
  --storage-opt dm.thinp_metapercent=2 --storage-opt dm.thinp_autoextend_threshold=70 --storage-opt dm.thinp_autoextend_percent=30"
# Two at once, each of which would take the other's group for what a kill left.
direct $made import /store/image.tar second >/store/second.txt 2>&1 & second=$!
direct $made import /store/image.tar box >/dev/null || fail 'direct-lvm'
wait $second || fail "a second command beside the first: $(cat /store/second.txt)"
direct $made rmi second >/dev/null || fail 'rmi second'
expect 'its pool' '*Pool Name: docker-thinpool*Pool Blocksize: 524.3kB*' direct $made info
expect 'its volume' 'thinpool *docker-thinpool*' sh -c 'lvs --noheadings -o lv_name,profile docker | sed "s/^ *//"'
expect 'its size, 90 % of the volume group' 9? \
  sh -c 'lvs --noheadings --units b --nosuffix -o lv_size,vg_size docker/thinpool | awk "{ print int(100 * \$1 / \$2 + 5) }"'
expect 'its growth' '*autoextend_threshold=70*autoextend_percent=30*' cat /etc/lvm/profile/docker-thinpool.profile
expect 'a container' 'written' direct $made run --name first --network none box sh -c 'echo written >/file; cat /file'
expect 'and another time' 'written' direct $made start -a first
expect 'what it changed' 'A /file' direct $made diff first
expect 'without the option' 'works' tsengine --data-root $root -s devicemapper --storage-opt dm.thinpooldev=/dev/mapper/docker-thinpool \
  run --rm --network none box echo works
expect 'its device for another root, and forced' "tsengine: devicemapper: $one is in use by the device-mapper device docker-thinpool_t*: *(vgchange -an docker) first" \
  tsengine --data-root /store/other -s devicemapper --storage-opt dm.directlvm_device=$one --storage-opt dm.directlvm_device_force=true info
expect 'another device later' '*changing direct-lvm config is not supported*' direct --storage-opt dm.directlvm_device=$two images
expect 'another percentage later' '*changing direct-lvm config is not supported*' direct $made --storage-opt dm.thinp_percent=80 images
expect 'a second home on it' '*unable to take ownership of the thin pool*' \
  tsengine --data-root /store/other -s devicemapper --storage-opt dm.thinpooldev=docker-thinpool import /store/image.tar box

# A reboot: LVM takes the pool down and up again.
vgchange -q -an docker >/dev/null || fail 'devices of containers that have ended hold the pool'
lvs --noheadings -o lv_active_locally docker/thinpool | grep -q active && fail 'the pool is still active'
expect 'its device for another root while the pool is down, and forced' \
  "*does not remove the volume group docker on $one, whose pool docker/thinpool is not active*(vgremove docker) first" \
  tsengine --data-root /store/other -s devicemapper --storage-opt dm.directlvm_device=$one $force import /store/image.tar box
vgchange -q -ay docker >/dev/null
expect 'after a reboot' 'written' direct $made start -a first
direct $made rm first >/dev/null && direct $made rmi box >/dev/null || fail 'what was made cannot be removed'
vgchange -q -an docker >/dev/null
lvchange -q -ay -y docker/thinpool_tmeta >/dev/null 2>&1
thin_check /dev/docker/thinpool_tmeta >/dev/null || fail 'thin_check of direct-lvm'
lvchange -q -an docker/thinpool_tmeta >/dev/null
echo 'ok thin_check of direct-lvm'

# One that fills: LVM's own kind holds writes for a minute, and whoever writes waits.
vgremove -q -f -y docker >/dev/null 2>&1
# Before it a pool that a kill left: with nothing in it, which can be seen while it is up.
vgcreate -q docker $one >/dev/null && lvcreate -q -y --type thin-pool -Zn -l 50%VG -n thinpool docker >/dev/null || fail 'an empty pool'
root=/store/root-full
full="--storage-opt dm.directlvm_device=$one --storage-opt dm.directlvm_device_force=true --storage-opt dm.thinp_percent=10
  --storage-opt dm.thinp_metapercent=1 --storage-opt dm.thinp_autoextend_threshold=100 --storage-opt dm.min_free_space=0%"
vgchange -q -an docker >/dev/null
expect 'a pool that a kill left, while it is down' '*docker/thinpool is not active*' direct $full import /store/image.tar box
vgchange -q -ay docker >/dev/null
direct $full import /store/image.tar box >/dev/null || fail 'direct-lvm for a full pool, instead of one that a kill left'
expect 'a pool that fails writes when it is full' 'error' sh -c 'lvs --noheadings -o lv_when_full docker/thinpool | tr -d " "'
ends 0 'a container that fills the pool gets an error' '*dd: [1-9]' direct $full run --name filler --network none box sh -c \
  'dd if=/dev/zero of=/big bs=1M count=600 conv=fsync; echo dd: $?'
expect 'the pool is full' '*out_of_data_space*error_if_no_space*' dmsetup status docker-thinpool
ends 0 'and its container goes' 'filler' direct $full rm filler
ends 0 'then others run' works direct $full run --rm --network none box echo works
vgchange -q -an docker >/dev/null || fail 'devices of containers that filled the pool hold it'
vgremove -q -f -y docker >/dev/null 2>&1

# The suite on a pool of somebody's own: half of what it can be.
vgcreate -q -y own $two $three >/dev/null
lvcreate -q -y --type thin-pool -Zn -l 80%VG --poolmetadatasize 64M -n pool own >/dev/null || fail 'a pool of ours'
for name in own-pool /dev/mapper/own-pool; do
  expect "the suite on $name" "*${PASSED:?} passed, 0 failed, 0 excused*" \
    tsengine --storage-opt dm.thinpooldev=$name --storage-opt dm.basesize=1G driver check devicemapper --data-root /store --only "$PART"
  dmsetup ls | grep -v '^own-pool' | grep own && fail "devices of $name are left"
  # The driver destroys what it had in there, and a pool that was used before is refused, as by Docker.
  lvremove -q -y own/pool >/dev/null 2>&1
  lvcreate -q -y --type thin-pool -Zn -l 80%VG --poolmetadatasize 64M -n pool own >/dev/null || fail 'a pool of ours again'
done
lvremove -q -y own/pool >/dev/null 2>&1
exit 0
