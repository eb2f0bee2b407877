#!/bin/sh
# test.sh all|full|quick: set-up, then types, lint and tests. `quick` leaves out the files named *.slow.test.ts and is to stay
# under a minute; `all` fails where a program to compare with cannot be had, such as Docker 20.10.24 without a network, and
# takes a sample of the longest enumerations, of which `full` takes every one (see test/helpers/scope.ts). All checks run,
# whatever fails first; the last lines are always those of Node's test runner.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/lib.sh"

which=${1-all}
case $which in
  all | full | quick) ;;
  *) fail "test.sh: all, full or quick, not $which" ;;
esac

sh "$root/scripts/setup.sh" --for test

# The tests mount file systems and run containers. The checks need nothing of that and stay with the user.
need_root
cd "$root"
node=$(echo node_modules/node-linux-*/bin/node)
[ -x "$node" ] || node=node
failed=
all=
full=${TSENGINE_TEST_FULL-}
[ "$which" != full ] || full=1
patience=3600000 # of one file, in milliseconds: a run beside others on a slow machine takes long, and is not stuck
[ -z "$full" ] || patience=14400000

if [ "$which" != quick ]; then
  all=1 # for the tests: see dockerMissing in test/helpers/docker.ts
  step peers
  sh "$root/scripts/peers.sh" || failed=' peers'
  step "machines of the lab" # before the tests, none of which then has to wait for it
  as_root "$root/bin/tsengine" lab build || failed="$failed lab"
fi

# deal_out FOLDER NUMBER FILE...: a process for each file takes as long to start as most of these take to run: so many files
# in the folder stand for them, each with its share.
deal_out() {
  folder=$1 number=$2 at=0
  shift 2
  for file; do
    at=$((at % number + 1))
    echo "import '../../$file';" >>"$folder/$at.test.ts"
  done
}

check() {
  name=$1
  shift
  step "$name"
  as_owner "$@" || failed="$failed $name"
}

check types "$node" node_modules/typescript/bin/tsc --noEmit
check lint node_modules/@biomejs/biome/bin/biome check --error-on-warnings --no-errors-on-unmatched .

step "tests ($which)"
report=$(mktemp)
longest=$(mktemp)
together=$(as_owner mktemp -d "$root/.cache/together-XXXXXX")
trap 'rm -rf "$report" "$longest" "$together"' EXIT
quick=$(find test -name '*.test.ts' ! -name '*.slow.test.ts' | sort)
# shellcheck disable=SC2086
deal_out "$together" $((2 * $(nproc) + 1)) $quick
files=$(find "$together" -name '*.test.ts' | sort)
alone=test/lab/boot-time.slow.test.ts # measures time: before the rest, and only in a full run
[ "$which" = quick ] || files="$(find test -name '*.slow.test.ts' ! -path $alone | sort) $files"
run_tests() {
  as_root env TSENGINE_TEST_ALL="$all" TSENGINE_TEST_FULL="$full" "$node" --disable-warning=ExperimentalWarning --import ./test/helpers/compile-cache.ts --test --test-timeout=$patience --test-reporter=spec --test-reporter-destination=stdout "$@"
}
[ -z "$full" ] || [ "$which" = quick ] || run_tests $alone || failed="$failed boot-time"
# The tests wait for the kernel and for other programs more than for a processor: one file more than there are of those.
status=0
{
  # shellcheck disable=SC2086
  run_tests --test-concurrency=$(($(nproc) + 1)) --test-reporter=./test/helpers/longest-files.ts \
    --test-reporter-destination="$longest" $files || echo "$?" >"$report.status"
} 2>&1 | tee "$report"
[ ! -e "$report.status" ] || { status=$(cat "$report.status") && rm -f "$report.status"; }

printf '\nThe files whose tests took longest, beside others:\n'
cat "$longest"
[ -z "$failed" ] || printf '\nFAILED:%s (see above)\n' "$failed"
printf '\n'
grep -E '^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ' "$report" || true
[ "$status" = 0 ] && [ -z "$failed" ]
