#!/bin/sh
# base-image.sh [debian|large|tiny]: prints the path of a root file system as a tar, making it when it is not in the cache yet.
#   debian  this system's Debian release (minbase: apt and bash included), from the Debian mirror that apt is set up with
#   large   the same with a compiler, Perl, Python and git: an image of the size that people have, for the benchmarks
#   tiny    busybox, statically linked, for fast tests
# The cache's key is what the tar is made of: delete .cache/ for newer packages. Everything that is made lies in one
# folder until it is complete; Ctrl-C, a failure or a kill leaves the cache as it was.
# TSENGINE_BASE_IMAGES names a folder with such tars (debian.tar, tiny.tar) that are taken as they are: machines of the lab
# have no mirror.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/lib.sh"

given=${TSENGINE_BASE_IMAGES-}/${1-debian}.tar
if [ -n "${TSENGINE_BASE_IMAGES-}" ] && [ -e "$given" ]; then
  echo "$given"
  exit 0
fi

release() { (. /etc/os-release && eval "printf %s \"\${$1-}\""); }

# One sources.list line for each of Debian's own `main` indexes that apt knows here, whichever file they come from. The
# Release files tell which are Debian's, so repositories of others stay out, and so do backports and other releases.
debian_sources() {
  apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)|$(RELEASE)|$(SIGNED_BY)' 'Created-By: Packages' |
    while IFS='|' read -r origin codename component uri name keyring; do
      [ "$origin" = Debian ] && [ "$component" = main ] || continue
      case $codename in "$suite" | "$suite-updates" | "$suite-security") ;; *) continue ;; esac
      case $uri in cdrom:*) continue ;; esac
      case $keyring in /*) options="[signed-by=$keyring] " ;; *) options= ;; esac
      echo "deb $options$uri $name $component"
    done | sort -u
}

# The machine's proxy, certificate and clock settings for apt hold while the image is made; they do not end up in it.
apt_settings() {
  apt-config dump | grep -E '^(Acquire::(http|https|ftp)::|Acquire::(Check-Valid-Until|Check-Date|ForceIPv[46]|Retries) )' || true
  echo 'Acquire::Languages "none";'
}

make_debian() {
  step "base image: a Debian $suite root file system out of packages from this machine's mirror" >&2
  command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: run scripts/setup.sh"
  apt_settings >"$work/apt.conf"
  # Bookworm can be merged-/usr from the start or by installing usrmerge, which brings all of Perl: 50 MB more.
  cat >"$work/setup-hook" <<'HOOK'
set -eu
for folder in bin sbin lib $(test "$(dpkg --print-architecture)" != amd64 || echo lib64); do
  test -e "$1/$folder" -o -h "$1/$folder" || { mkdir -p "$1/usr/$folder" && ln -s "usr/$folder" "$1/$folder"; }
done
mkdir -p "$1/etc/apt/preferences.d"
printf 'Package: usrmerge\nPin: release *\nPin-Priority: -1\n' >"$1/etc/apt/preferences.d/no-usrmerge"
HOOK
  cat >"$work/customize-hook" <<'HOOK'
set -eu
rm -f "$1/etc/apt/preferences.d/no-usrmerge" "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
rm -f "$1/etc/hostname" "$1/etc/resolv.conf" "$1/var/log/apt/"*.log "$1/var/log/dpkg.log" "$1/var/cache/ldconfig/aux-cache"
HOOK
  includes=
  case $sources in *https:*) includes=--include=ca-certificates ;; esac
  [ -z "$packages" ] || includes="$includes --include=$packages"
  newline='
'
  IFS=$newline
  set -f
  set -- $sources # one argument a line
  set +f
  unset IFS
  mkdir "$work/tmp"
  # In namespaces of its own: when this script ends, however it does, the kernel ends and unmounts all that mmdebstrap
  # started. In a session of its own: Ctrl-C is for this script alone.
  TMPDIR=$work/tmp setpriv --pdeathsig KILL setsid unshare --mount --pid --fork --kill-child --mount-proc \
    mmdebstrap --variant=minbase --mode=root --format=tar --skip=output/dev $includes \
    --setup-hook="sh '$work/setup-hook' \"\$1\"" --customize-hook="sh '$work/customize-hook' \"\$1\"" \
    --aptopt="$work/apt.conf" --dpkgopt=force-unsafe-io "$suite" "$work/image.tar" "$@" \
    >"$work/log" 2>&1 </dev/null 9>&- &
  child=$!
  wait "$child" || {
    child=
    fail "mmdebstrap could not make the base image from this machine's Debian mirror: $(reason "$work/log")"
  }
  child=
  # Device nodes are each container's own affair; the folder for them is the image's.
  mkdir -p "$work/empty/dev"
  tar --append --file "$work/image.tar" --directory "$work/empty" --numeric-owner --owner=0 --group=0 --mode=0755 ./dev
}

make_tiny() {
  (cd "$work" && apt-get -qq download busybox-static >"$work/log" 2>&1 </dev/null 9>&- && dpkg-deb -x busybox-static_*.deb deb) ||
    fail "cannot fetch the package busybox-static: $(reason "$work/log")"
  tree=$work/tree
  mkdir -p "$tree/bin" "$tree/etc" "$tree/root" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/var/spool" "$tree/usr/bin"
  mkdir -m 1777 "$tree/tmp"
  chmod 0700 "$tree/root"
  cp "$(find "$work/deb" -path '*/bin/busybox' -type f)" "$tree/bin/busybox"
  for applet in $("$tree/bin/busybox" --list); do [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"; done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
  echo 'nobody:x:65534:65534:nobody:/nonexistent:/bin/false' >>"$tree/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$tree/etc/group"
  tar --create --file "$work/image.tar" --directory "$tree" --sort=name --numeric-owner --owner=0 --group=0 --mtime=@0 .
}

# Everything unfinished goes, whatever way this ends. SIGKILL aside, which the next run cleans up after.
work=
child=
clean_up() {
  status=$?
  trap - EXIT INT TERM HUP
  [ -z "$child" ] || { kill -KILL "$child" && wait "$child"; } 2>/dev/null || true
  [ -z "$work" ] || rm -rf "$work"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

kind=${1-debian}
packages=
make_large() { make_debian; }
make_cache
suite=$(release VERSION_CODENAME)
case $kind in
  debian | large)
    [ "$kind" = debian ] || packages=gcc,git,perl,python3
    [ "$(release ID)" = debian ] && [ -n "$suite" ] ||
      fail "the base image is made of Debian's packages, and this system is $(release PRETTY_NAME): run this on Debian"
    sources=$(debian_sources)
    [ -n "$sources" ] || {
      need_root
      update_package_lists
      own "$cache/apt.log"
      sources=$(debian_sources)
    }
    [ -n "$sources" ] || fail "apt is set up with no Debian mirror for $suite: see /etc/apt/sources.list and sources.list.d"
    made_of="$suite $(dpkg --print-architecture) $sources $packages"
    ;;
  tiny)
    made_of="$(dpkg --print-architecture) $(apt-cache policy busybox-static | sed -n 's/^ *Candidate: //p')"
    ;;
  *) fail "base-image.sh: debian, large or tiny, not $kind" ;;
esac
key=$({ printf '%s\n' "$made_of" && cat "$root/scripts/base-image.sh"; } | sha256sum | cut -c 1-16)
image=$cache/base-$kind-$key.tar

if [ ! -e "$image" ]; then
  if [ "$kind" != tiny ] && [ "$(id -u)" != 0 ]; then
    need_root
    trap - EXIT
    exec sudo -- "$0" "$@"
  fi
  exec 9>"$cache/base-$kind.lock"
  flock 9 # of several at once one makes it
  own "$cache/base-$kind.lock"
fi
if [ ! -e "$image" ]; then
  rm -rf "$cache/base-$kind".work.* # of a run that was killed; we hold the lock
  work=$(mktemp -d "$cache/base-$kind.work.XXXXXX")
  "make_$kind"
  rm -f "$cache/base-$kind-"*.tar
  own "$work/image.tar"
  mv "$work/image.tar" "$image"
fi
echo "$image"
