#!/bin/sh
# peers.sh: fetches the programs that the tests compare with, and fails with one line that names those that cannot be had:
# a comparison that is left out must not look like one that was made.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/lib.sh"

missing=
said=$(sh "$root/scripts/docker-peer.sh" 2>&1 >/dev/null) ||
  missing="; Docker 20.10.24: $(printf '%s\n' "$said" | tail -n 1 | sed 's/^tsengine: //')"
for tool in strace podman skopeo umoci; do
  "$tool" --version >/dev/null 2>&1 || missing="$missing; $tool: it is not installed or does not run"
done
[ -z "$missing" ] || fail "cannot compare with${missing#;} (npm run test:quick does without)"
