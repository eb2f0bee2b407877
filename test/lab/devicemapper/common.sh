# What the scripts for machines with devicemapper share. `expect WHAT WANTED COMMAND…` ends the script when the output is another.
export PATH="$PATH:/usr/sbin:/sbin"
mkdir -p /store/image/bin
cp /usr/bin/busybox /store/image/bin/
for name in sh echo cat ls dd sync true touch rm mkdir df sleep; do ln -sf busybox /store/image/bin/$name; done
tar -C /store/image -c . >/store/image.tar

fail() {
  echo "FAILED: $*" >&2
  dmsetup ls >&2
  dmesg | tail -n 30 >&2
  exit 1
}

expect() {
  what=$1 wanted=$2
  shift 2
  got=$("$@" 2>&1) || true
  case $got in
    $wanted) echo "ok $what" ;;
    *) fail "$what: wanted $wanted, got $got" ;;
  esac
}

# The same, and the exit code as well: `ends CODE WHAT WANTED COMMAND…`.
ends() {
  code=$1 what=$2 wanted=$3
  shift 3
  status=0
  got=$("$@" 2>&1) || status=$?
  case $got in
    $wanted) ;;
    *) fail "$what: wanted $wanted, got $got" ;;
  esac
  [ $status = "$code" ] || fail "$what: exit code $status, not $code: $got"
  echo "ok $what"
}

# The numbers of the thin devices that a data root has files of, and of those that are in its pool, in order.
on_record() { grep -h -o '"device_id":[0-9]*' "$1"/devicemapper/metadata/base $(ls "$1"/devicemapper/metadata/* | grep -E '/[0-9a-f]{64}(-init)?$') | cut -d: -f2 | sort -n; }
in_pool() { thin_dump "$1" | grep -o 'dev_id="[0-9]*"' | cut -d'"' -f2 | sort -n; }

# Takes down the pool of a data root, whose every device must be gone by itself, and checks its metadata: that it is whole, and that
# it has just the devices that are on record (`LOST=yes check_pool`: where a record was taken away, others as well).
check_pool() {
  pool=$(dmsetup ls | grep -o "docker-[0-9:]*-$(stat -c %i "$1/devicemapper")-pool") || fail "no pool of $1"
  for again in $(seq 50); do dmsetup ls | grep -q "^${pool%pool}[^p]" || break; sleep 0.1; done
  dmsetup ls | grep "^${pool%pool}[^p]" && fail "devices of $1 are still there"
  dmsetup remove --retry "$pool"
  thin_check "${2:-$1/devicemapper/devicemapper/metadata}" >/dev/null 2>&1 || fail "thin_check of $1"
  losetup -a | grep " ($1/" && fail "loop devices of $1 are still there"
  [ -n "${LOST:-}" ] || [ "$(on_record "$1")" = "$(in_pool "${2:-$1/devicemapper/devicemapper/metadata}")" ] ||
    fail "devices on record: $(on_record "$1"); in the pool: $(in_pool "${2:-$1/devicemapper/devicemapper/metadata}")"
  echo "ok thin_check of $1"
}
