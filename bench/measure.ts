/**
 * Measuring: commands as whole processes, several contestants in turn, every figure kept. Nothing here knows what it
 * measures.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** One measurement's figures, by the name of the series that each belongs to. */
export type Figures = Readonly<Record<string, number>>;

/** One that takes part in a comparison. Every call of `sample` prepares an equal state and measures once. */
export interface Contestant {
  readonly name: string;
  sample(): Promise<Figures>;
}

/** How often, and who is told how far it is. */
export interface Rounds {
  readonly runs: number;
  /** Rounds before those that count, which fill caches. */
  readonly warmups: number;
  progress(text: string): void;
}

/**
 * Lets every contestant run once in each round, so that whatever else the machine does meets all of them alike; who
 * begins changes from round to round. Gives each series with all its figures.
 */
export async function measureRounds(
  contestants: readonly Contestant[],
  { runs, warmups, progress }: Rounds,
): Promise<Map<string, number[]>> {
  const series = new Map<string, number[]>();
  for (let round = -warmups; round < runs; round++) {
    for (const contestant of rotated(contestants, round + warmups)) {
      progress(`${round < 0 ? 'warm-up' : `round ${round + 1} of ${runs}`}: ${contestant.name}`);
      const figures = await contestant.sample();
      for (const [name, value] of Object.entries(figures)) {
        // In the order of the first round, whether it counts or not.
        const values = series.get(name) ?? [];
        series.set(name, values);
        if (round >= 0) values.push(value);
      }
    }
  }
  return series;
}

/** The list, begun `by` places later. */
export function rotated<T>(list: readonly T[], by: number): T[] {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

/** A command to be timed. */
export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Runs a command that must succeed and gives the milliseconds of wall-clock time from its start to its end. Its output
 * goes to /dev/null; what it says on standard error goes to a file, as a pipe would stay open for as long as a
 * container that inherits it.
 */
export function timed({ argv, env = process.env }: Command): number {
  const folder = mkdtempSync(`${tmpdir()}/tsengine-timed-`);
  const errors = openSync(`${folder}/stderr`, 'w+');
  try {
    const [file, ...args] = argv;
    const start = process.hrtime.bigint();
    const { status, signal, error } = spawnSync(file, args, { env, stdio: ['ignore', 'ignore', errors] });
    const elapsed = Number(process.hrtime.bigint() - start) / 1e6;
    if (status === 0) return elapsed;
    const said = readFileSync(`${folder}/stderr`, 'utf8').trim();
    throw new Error(`${argv.join(' ')}: ended with ${status ?? signal}: ${said}`, { cause: error });
  } finally {
    closeSync(errors);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What may still be on its way to the disk when a measurement begins. */
const dirtyLimit = 8 << 20;
/** How long other programs' writes are waited for. */
const settleTime = 3000;

/**
 * Waits until everything written before is on disk, so that one measurement's writing does not run into the next. On a
 * machine where others write without pause it gives up after a while.
 */
export async function settle(): Promise<void> {
  const end = Date.now() + settleTime;
  do {
    spawnSync('sync');
    if (dirtyBytes(readFileSync('/proc/meminfo', 'utf8')) < dirtyLimit) return;
    await sleep(50);
  } while (Date.now() < end);
}

/** Bytes that wait to be written or are being written, out of the text of /proc/meminfo. */
export function dirtyBytes(meminfo: string): number {
  const of = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0);
  return (of('Dirty') + of('Writeback')) * 1024;
}
