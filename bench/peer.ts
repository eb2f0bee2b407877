/**
 * tsengine against Docker 20.10.24 and against floors such as tar, on the same disk, in one run. Exit code 1 when a
 * limit is missed or something could not be measured. docs/benchmarks.md says what is measured and how.
 *
 *     peer.ts [--only NAME,NAME] [--runs N] [--quick] [--json]
 */
import { parseArgs } from 'node:util';
import type { Bench } from './bench.ts';
import { allKept, type Comparison } from './comparison.ts';
import { describeMachine, formatMachine } from './machine.ts';
import { launcher } from './peers/tsengine.ts';
import { formatComparison, formatLimits } from './report.ts';
import { choose } from './workloads/index.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    runs: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs ?? (values.quick ? 3 : 10));
if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs takes a number, not ${values.runs}`);
const chosen = choose(values.only.split(',').filter((name) => name !== ''));

const terminal = process.stderr.isTTY;
const bench: Bench = {
  runs,
  quick: values.quick,
  progress: (text) => void (terminal && process.stderr.write(`\r\x1b[K${text}`)),
};
const say = (text: string) => void (values.json || console.log(text));

const machine = describeMachine(launcher);
say(formatMachine(machine));
const comparisons: Comparison[] = [];
const failures: { readonly name: string; readonly error: string }[] = [];
for (const workload of chosen) {
  try {
    for (const comparison of await workload.run(bench)) {
      comparisons.push(comparison);
      bench.progress('');
      say(formatComparison(comparison));
    }
  } catch (error) {
    bench.progress('');
    failures.push({ name: workload.name, error: String(error) });
    say(`${workload.name}: could not be measured: ${String(error)}\n`);
  }
}

const good = failures.length === 0 && allKept(comparisons);
say(formatLimits(comparisons));
if (values.json)
  console.log(JSON.stringify({ benchmark: 'peer', machine, runs, comparisons, failures, good }));
process.exitCode = good ? 0 : 1;
