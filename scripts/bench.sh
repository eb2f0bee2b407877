#!/bin/sh
# bench.sh [BENCHMARK]: set-up, then the benchmarks of bench/, or the one named.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/lib.sh"

sh "$root/scripts/setup.sh" --for quickstart
name=${1-startup}
[ -e "$root/bench/$name.ts" ] || fail "there is no benchmark $name: see bench/"
sh "$root/scripts/node24.sh" "$root/bench/$name.ts"
