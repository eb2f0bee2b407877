#!/bin/sh
# bench.sh [NAME] [OPTIONS]: set-up, then the benchmark bench/NAME.ts with its options; `peer` without a name.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/lib.sh"

name=peer
case ${1-} in
  '' | -*) ;;
  *) name=$1 && shift ;;
esac
[ -e "$root/bench/$name.ts" ] || fail "there is no benchmark $name: see bench/"
# The README's table of a result that is there: nothing is measured.
case " $* " in *' --readme'*) exec sh "$root/scripts/node24.sh" "$root/bench/$name.ts" "$@" ;; esac
sh "$root/scripts/setup.sh" --for test >&2
sh "$root/scripts/docker-peer.sh" >/dev/null || step "no Docker to compare with" >&2
need_root
as_root sh "$root/scripts/node24.sh" "$root/bench/$name.ts" "$@"
