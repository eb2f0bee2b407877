# udev that lacks dmsetup's rules answers nobody: a command does not wait for it.
set -u
. "$(dirname "$0")/common.sh"
pools='--storage-opt dm.basesize=512M --storage-opt dm.loopdatasize=1G --storage-opt dm.loopmetadatasize=16M'
use() { tsengine --data-root $1 -s devicemapper $pools "${@:2}"; }
lasts() {
  begun=$(date +%s)
  use "$1" import /store/image.tar box >/dev/null || fail "import into $1"
  ends 0 "a container in $1" works use "$1" run --rm --network none box echo works
  took=$(($(date +%s) - begun))
}
[ -e /run/udev/control ] || fail 'there is no udev'
lasts /store/with && with=$took
expect 'udev is waited for' '*Udev Sync Supported: true*' use /store/with info
check_pool /store/with
mkdir -p /etc/udev/rules.d && ln -s /dev/null /etc/udev/rules.d/95-dm-notify.rules && udevadm control --reload && udevadm settle
expect 'and is not without its rules' '*Udev Sync Supported: false*' use /store/without info
lasts /store/without
# Each of the two commands would wait ten seconds.
[ $took -lt $((with + 15)) ] || fail "with dmsetup's rules $with s, without them $took s"
# dmsetup itself would wait for ever.
rm /etc/udev/rules.d/95-dm-notify.rules && udevadm control --reload
check_pool /store/without
echo "ok $with s and $took s"
