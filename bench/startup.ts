/**
 * How long a command takes that has nothing to do, against the floor: Node itself. Each round runs every command once, so
 * that whatever else the machine does meets all of them alike. Exit code 1 when `version` is past its limit.
 *
 *     startup.ts [--runs N] [--json]
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Summary, summarize } from './statistics.ts';

/** `tsengine version`, warm, takes at most this many times what `node -e 0` does. */
const limit = 1.6;

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '40' }, json: { type: 'boolean', default: false } },
});
const runs = Math.max(30, Number(values.runs));
const launcher = resolve(import.meta.dirname, '../bin/tsengine');
const floor: Command = { name: 'node -e 0', argv: [process.execPath, '-e', '0'] };
const commands: readonly Command[] = [
  floor,
  { name: 'tsengine version', argv: [launcher, 'version'] },
  { name: 'tsengine --help', argv: [launcher, '--help'] },
];

interface Command {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
}

const summaries = measure(commands, runs);
const floorMedian = summaries.get(floor.name)?.median ?? Number.NaN;
const ratio = (summaries.get('tsengine version')?.median ?? Number.NaN) / floorMedian;
const withinLimit = ratio <= limit;

if (values.json) {
  const results = Object.fromEntries(summaries);
  console.log(
    JSON.stringify({
      benchmark: 'startup',
      unit: 'ms',
      node: process.version,
      limit,
      ratio,
      withinLimit,
      results,
    }),
  );
} else {
  console.log(`start-up, warm, ${runs} runs each in turn, Node ${process.version}\n`);
  console.log('                     median       p10       p90   × node');
  for (const [name, { median, p10, p90 }] of summaries) {
    const cells = [median, p10, p90].map((value) => `${value.toFixed(1)} ms`.padStart(10)).join('');
    console.log(`${name.padEnd(18)}${cells}${(median / floorMedian).toFixed(2).padStart(9)}`);
  }
  console.log(`\nlimit for version: ${limit} × node: ${withinLimit ? 'kept' : 'BROKEN'}`);
}
process.exitCode = withinLimit ? 0 : 1;

/** Milliseconds of wall-clock time from start to exit, after two runs of each that fill caches. */
function measure(list: readonly Command[], count: number): Map<string, Summary> {
  const times = new Map<string, number[]>(list.map(({ name }) => [name, []]));
  for (let round = -2; round < count; round++) {
    for (const { name, argv } of list) {
      const [file, ...args] = argv;
      const start = process.hrtime.bigint();
      const { status, error } = spawnSync(file, args, { stdio: 'ignore' });
      const elapsed = Number(process.hrtime.bigint() - start) / 1e6;
      if (status !== 0) throw new Error(`${name} ended with ${status}`, { cause: error });
      if (round >= 0) times.get(name)?.push(elapsed);
    }
  }
  return new Map([...times].map(([name, series]) => [name, summarize(series)]));
}
