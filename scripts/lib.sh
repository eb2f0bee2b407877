# Shared by the scripts here; sourced, with $root set to the checkout. POSIX sh.

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
cache=$root/.cache

step() { printf '==> %s\n' "$*"; }

fail() {
  printf 'tsengine: %s\n' "$*" >&2
  exit 1
}

# Root's rights, directly or by sudo. Asks for a password at most once, and only where somebody can type it.
need_root() {
  [ "$(id -u)" = 0 ] && return 0
  command -v sudo >/dev/null || fail "this needs root: run it as root, or install sudo and give $(id -un) the right to it"
  sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } ||
    fail "this needs root: run it as root, or give $(id -un) the right to sudo"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -- "$@"; fi
}

# Whatever writes into the checkout runs as the checkout's owner, so that `sudo npm run quickstart` leaves no files of
# root's behind. An owner whom this system does not know (a mounted folder, say) is replaced by whoever runs this.
as_owner() {
  owner=$(stat -c %u "$root")
  home=$(getent passwd "$owner" | cut -d: -f6)
  if [ "$(id -u)" != 0 ] || [ "$owner" = 0 ] || [ -z "$home" ]; then
    "$@"
  else
    # npm tells its children where root's files of its own are; the owner has others.
    setpriv --reuid "$owner" --regid "$(stat -c %g "$root")" --init-groups -- env -u npm_config_cache \
      -u npm_config_userconfig -u npm_config_globalconfig -u npm_config_prefix HOME="$home" "$@"
  fi
}

# The folder for what can be made again: the owner's, even when root makes it.
make_cache() { [ -d "$cache" ] || as_owner mkdir -p "$cache" || fail "cannot make $cache"; }

# own FILE...: gives what root made in the cache to the checkout's owner.
own() { [ "$(id -u)" != 0 ] || chown -h --reference="$root" "$@"; }

# apt_get ARGS: as root and without questions; its output goes to the log that `reason` reads.
apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
    -o APT::Update::Error-Mode=any -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 -o Acquire::http::Timeout=20 \
    -o Acquire::https::Timeout=20 -o Dpkg::Use-Pty=0 "$@" >"$cache/apt.log" 2>&1 </dev/null 9>&-
}

update_package_lists() {
  apt_get update || fail "cannot fetch the package lists from this machine's Debian mirror: $(reason "$cache/apt.log")"
}

# reason LOG: the line of apt's or mmdebstrap's output that says best why it failed.
reason() {
  {
    grep -E 'Could not|Temporary failure|Failed to fetch|Unable to (connect|locate|correct)|have been kept|No space left' "$1" | head -n 1
    grep -E '^[EW]: ' "$1" | tail -n 1
    echo "see $1"
  } | head -n 1 | sed 's/^[EW]: *//; s/^ *//' | cut -c -240
}
