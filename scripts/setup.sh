#!/bin/sh
# setup.sh [--for quickstart|test]: what a checkout needs to run: Debian packages, npm packages, the bundle. Does only what
# is missing, so that it may stand before everything; takes well under a second when nothing is.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/lib.sh"

purpose=quickstart
while [ $# -gt 0 ]; do
  case $1 in
    --for) purpose=${2-} && shift ;;
    *) fail "setup.sh: unknown argument $1" ;;
  esac
  shift
done

# COMMAND:PACKAGE pairs. What counts is the command: a runc or tini from elsewhere (Docker's own packages) will do.
tools="runc:runc conmon:conmon mmdebstrap:mmdebstrap tini:tini"
case $purpose in
  quickstart) ;;
  test)
    tools="$tools mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs setfattr:attr getfacl:acl setcap:libcap2-bin
      gzip:gzip zstd:zstd python3:python3 skopeo:skopeo umoci:umoci podman:podman strace:strace
      apparmor_parser:apparmor busybox:busybox-static xz:xz-utils bzip2:bzip2
      fio:fio sqlite3:sqlite3 bindfs:bindfs fuse-overlayfs:fuse-overlayfs mksquashfs:squashfs-tools chromium:chromium qemu-system-x86_64:qemu-system-x86 depmod:kmod"
    ;;
  *) fail "setup.sh: --for takes quickstart or test" ;;
esac

main() {
  make_cache
  exec 9>"$cache/setup.lock"
  flock 9 # two set-ups at once: the second waits and finds nothing to do
  trap 'own "$cache/setup.lock" "$cache"/*.log 2>/dev/null || true' EXIT
  system_packages
  [ "$purpose" != test ] || zfs_stand_in
  npm_packages
  bundle
}

system_packages() {
  missing=
  for pair in $tools; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null ||
    fail "this system has no apt: install$missing yourself, then run this again"
  need_root
  step "Debian packages: installing$missing"
  # All packages are downloaded before the first is installed. Without lists, or with lists so old that a package has left
  # the mirror, they are fetched anew. --no-remove: nothing that is installed here may have to go.
  if has_package_lists && apt_get install --no-remove $missing; then return 0; fi
  update_package_lists
  apt_get install --no-remove $missing && return 0
  # fuse3 takes the place of fuse, for all that use it, and apt calls that a removal.
  [ "$(removals $missing)" = fuse ] && apt_get install $missing && return 0
  fail "cannot install$missing: $(reason "$cache/apt.log")"
}

# What would be removed for packages.
removals() { apt-get -s --no-install-recommends install "$@" 2>/dev/null | sed -n 's/^Remv \([^ ]*\).*/\1/p'; }

# zfs-fuse, for the tests of zfs where the kernel has no module: not beside OpenZFS, not in every release, and without the service
# that comes with it.
zfs_stand_in() {
  if command -v zpool >/dev/null || command -v zfs-fuse >/dev/null || ! command -v apt-get >/dev/null; then return 0; fi
  need_root
  step "Debian packages: installing zfs-fuse"
  if ! apt_get install --no-remove zfs-fuse; then
    echo "zfs-fuse cannot be had here: the tests of zfs by it are left out" >&2
    return 0
  fi
  if [ -d /run/systemd/system ]; then as_root systemctl disable --now zfs-fuse >/dev/null 2>&1 || true
  else as_root service zfs-fuse stop >/dev/null 2>&1 || true; fi
}

has_package_lists() { ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; }

npm_packages() {
  if [ -e "$root/node_modules/.package-lock.json" ] &&
    [ ! "$root/package-lock.json" -nt "$root/node_modules/.package-lock.json" ]; then return 0; fi
  command -v npm >/dev/null || fail "npm is missing: install Node.js 20 or newer with npm"
  step "npm packages: installing (Node 24 among them)"
  # Installed aside and renamed, so that a failure or Ctrl-C leaves the packages that were there. No package's own script
  # runs: none of ours needs it.
  aside=$cache/npm
  as_owner rm -rf "$aside" && as_owner mkdir "$aside"
  as_owner cp "$root/package.json" "$root/package-lock.json" "$root/.npmrc" "$aside"
  # npm itself must run on the Node it came with, not on the one that it installs here.
  clean_path=$(printf %s "$PATH" | tr : '\n' | grep -v '/node_modules/\.bin$' | tr '\n' :)
  if ! as_owner env PATH="${clean_path%:}" npm ci --prefix "$aside" --ignore-scripts --no-audit --no-fund --loglevel=error \
    >"$cache/npm.log" 2>&1 </dev/null 9>&-; then
    as_owner rm -rf "$aside"
    why=$({ grep 'reason:' "$cache/npm.log" || grep -E '^npm (error|ERR!) +[^ ]' "$cache/npm.log"; } |
      head -n 1 | sed -E 's/^npm (error|ERR!) +//')
    fail "npm could not install the packages of package-lock.json: ${why:-see $cache/npm.log}"
  fi
  as_owner rm -rf "$root/node_modules"
  as_owner mv "$aside/node_modules" "$root/node_modules"
  as_owner rm -rf "$aside"
}

bundle() {
  built=$root/dist/cli/main.js
  if [ -e "$built" ] && [ -z "$(find "$root/src" "$root/bench/suite" "$root/package.json" "$root/scripts/build.ts" "$root/scripts/lazy-builtins.ts" \
    "$root/node_modules/.package-lock.json" -newer "$built" -print -quit)" ]; then return 0; fi
  step "bundle: building dist/"
  as_owner sh "$root/scripts/node24.sh" "$root/scripts/build.ts" >"$cache/build.log" 2>&1 9>&- || {
    cat "$cache/build.log" >&2
    fail "the build failed"
  }
}

main
