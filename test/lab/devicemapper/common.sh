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

# Takes down the pool of a data root, whose every device must be gone by itself, and checks its metadata.
check_pool() {
  pool=$(dmsetup ls | grep -o "docker-[0-9:]*-$(stat -c %i "$1/devicemapper")-pool") || fail "no pool of $1"
  for again in $(seq 50); do dmsetup ls | grep -q "^${pool%pool}[^p]" || break; sleep 0.1; done
  dmsetup ls | grep "^${pool%pool}[^p]" && fail "devices of $1 are still there"
  dmsetup remove --retry "$pool"
  thin_check "${2:-$1/devicemapper/devicemapper/metadata}" >/dev/null 2>&1 || fail "thin_check of $1"
  losetup -a | grep " ($1/" && fail "loop devices of $1 are still there"
  echo "ok thin_check of $1"
}
