/**
 * tsengine against Docker 20.10.24, podman and floors such as runc alone and tar, on the same disk, in one run. Exit code 1
 * when a limit is missed or something could not be measured. docs/benchmarks.md says what is measured and how.
 *
 *     peer.ts [--only NAME,NAME] [--runs N] [--quick] [--seed N] [--json] [--out FILE]
 *     peer.ts --readme FILE      writes the README's table of a result
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { errorMessage } from '../src/errors.ts';
import { allKept } from './comparison.ts';
import { withTable } from './readme.ts';
import { formatComparison, formatLimits, formatMachine, formatMissing } from './report.ts';
import { runBenchmark } from './run.ts';
import { type RepositoryResult, readRepositoryResult, repositoryResultText } from './schema.ts';
import { choose } from './workloads/index.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    runs: { type: 'string' },
    quick: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
    readme: { type: 'string' },
  },
});

function numberOf(option: string, text: string, least: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < least || number >= 2 ** 32)
    throw new Error(`--${option} takes a number, not ${text}`);
  return number;
}

async function measure(): Promise<RepositoryResult> {
  const runs = numberOf('runs', values.runs ?? (values.quick ? '3' : '10'), 1);
  const seed = numberOf('seed', values.seed, 0);
  const workloads = choose(values.only.split(',').filter((name) => name !== ''));
  const isTerminal = process.stderr.isTTY;
  const progress = (text: string): void => void (isTerminal && process.stderr.write(`\r\x1b[K${text}`));
  const say = (text: string): void => void (values.json || console.log(text));
  const told = new Set<string>();
  const abort = new AbortController();
  // Whoever sends a second one must not keep it from cleaning up: timeout(1) does.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => abort.abort());
  // Where the result goes is nothing that measures.
  const words = process.argv
    .slice(2)
    .filter((word, index, all) => !/^--(json|out)\b/.test(word) && all[index - 1] !== '--out');
  const request = { workloads, runs, quick: values.quick, seed, signal: abort.signal };
  const result = await runBenchmark(
    { ...request, command: ['npm run bench', ...(words.length === 0 ? [] : ['--', ...words])].join(' ') },
    {
      begins: (machine) => say(formatMachine(machine)),
      progress,
      found: (one) => {
        progress('');
        if ('title' in one) return say(formatComparison(one));
        // Who is not there is not there for any workload: once is enough.
        const why = `${one.series} ${one.reason}`;
        if (one.series === null || !told.has(why)) say(formatMissing(one));
        told.add(why);
      },
    },
  );
  say(formatLimits(result.comparisons));
  return result;
}

/** Writes the table of a result into the README, in place: the file stays whose it is. */
function writeReadme(file: string): void {
  const path = resolve(import.meta.dirname, '../README.md');
  writeFileSync(path, withTable(readFileSync(path, 'utf8'), readRepositoryResult(file)));
}

try {
  if (values.readme !== undefined) writeReadme(values.readme);
  else {
    const result = await measure();
    const text = repositoryResultText(result);
    if (values.out !== undefined) writeFileSync(values.out, text);
    if (values.json) process.stdout.write(text);
    const isWhole = result.missing.every(({ series }) => series !== null);
    process.exitCode = isWhole && allKept(result.comparisons) ? 0 : 1;
    if (result.interrupted) process.exitCode = 130;
  }
} catch (error) {
  console.error(`bench: ${errorMessage(error)}`);
  process.exitCode = 1;
}
