#!/bin/sh
# docker-peer.sh: prints the folder below which usr/sbin/dockerd and usr/bin/docker of Debian's docker.io 20.10.24 are, for
# tests that compare with it: / where it is installed, else a folder of the cache, into which the packages are unpacked.
# Nothing is installed and no service started: a docker-ce that people have stays as it is.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/lib.sh"

# Other versions of 20.10 say some things in other words.
is_peer() { "$1" --version 2>/dev/null | grep -q ' 20\.10\.24\b'; }

peer=$cache/docker-peer
if is_peer /usr/sbin/dockerd && [ -x /usr/bin/docker ]; then
  echo /
  exit 0
fi
if [ ! -d "$peer" ]; then
  make_cache
  work=$(mktemp -d "$cache/docker-peer.work.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/tree"
  (cd "$work" && apt-get -qq download docker.io containerd libdevmapper1.02.1) >"$work/log" 2>&1 </dev/null || {
    tail -n 1 "$work/log" >&2
    fail "cannot fetch the packages of docker.io (is there a network?)"
  }
  for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
  own "$work/tree"
  mv "$work/tree" "$peer"
fi
is_peer "$(find "$peer/usr/sbin" -name dockerd)" || {
  library=$(find "$peer" -name 'libdevmapper.so.*' -printf '%h\n' | head -n 1)
  LD_LIBRARY_PATH=$library is_peer "$peer/usr/sbin/dockerd" || fail "the docker.io of this Debian is not 20.10.24: nothing is compared with it"
}
echo "$peer"
