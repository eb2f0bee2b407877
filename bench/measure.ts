/**
 * Measuring: commands as whole processes, several contestants in turn, every sample kept. Nothing here knows what it
 * measures.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Disturbance, startMeter } from './suite/measure/meter.ts';
import { type Random, shuffled } from './suite/random.ts';
import type { Sample } from './suite/schema.ts';

/** A value, and what else went on while it was measured. */
export interface Reading {
  readonly value: number;
  readonly disturbed?: Disturbance[];
}

/** What one sample gave, by the name of the series that each value belongs to. */
export type Figures = Readonly<Record<string, number | Reading>>;

/** One that takes part in a comparison. Every call of `sample` prepares an equal state and measures once. */
export interface Contestant {
  readonly name: string;
  sample(): Promise<Figures>;
}

/** How often, in which order, and who is told how far it is. */
export interface Rounds {
  readonly runs: number;
  /** Rounds before those that count, which fill caches. */
  readonly warmups: number;
  readonly random: Random;
  /** Milliseconds since the start. */
  clock(): number;
  progress(text: string): void;
}

/**
 * Lets every contestant run once in each round, in random order, so that whatever else the machine does meets all of them
 * alike. Gives each series with all its samples.
 */
export async function measureRounds(
  contestants: readonly Contestant[],
  { runs, warmups, random, clock, progress }: Rounds,
): Promise<Map<string, Sample[]>> {
  // In the order of the contestants, whoever comes first.
  const found = contestants.map((contestant) => ({ contestant, series: new Map<string, Sample[]>() }));
  for (let round = -warmups; round < runs; round++) {
    for (const { contestant, series } of shuffled(found, random)) {
      progress(`${round < 0 ? 'warm-up' : `round ${round + 1} of ${runs}`}: ${contestant.name}`);
      for (const [name, figure] of Object.entries(await contestant.sample())) {
        const samples = series.get(name) ?? [];
        series.set(name, samples);
        if (round >= 0) samples.push(sampleOf(figure, clock()));
      }
    }
  }
  return new Map(found.flatMap(({ series }) => [...series]));
}

function sampleOf(figure: number | Reading, at: number): Sample {
  const { value, disturbed } = typeof figure === 'number' ? { value: figure } : figure;
  // No clock here tells more than a microsecond.
  const sample = { value: Math.round(value * 1000) / 1000, at: Math.round(at) };
  return disturbed === undefined ? sample : { ...sample, disturbed };
}

/** Several in a row, taken as one. */
export function sumOf(...readings: readonly Reading[]): Reading {
  const disturbed = [...new Set(readings.flatMap((one) => one.disturbed ?? []))];
  const value = readings.reduce((sum, one) => sum + one.value, 0);
  return disturbed.length === 0 ? { value } : { value, disturbed };
}

/** A command to be timed. */
export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Runs a command that must succeed and gives the milliseconds of wall-clock time from its start to its end. Its output
 * goes to /dev/null; what it says on standard error goes to a file without a name, as a pipe would stay open for as long as a
 * container that inherits it.
 */
export function timed({ argv, env = process.env }: Command): Reading {
  const folder = mkdtempSync(`${tmpdir()}/tsengine-timed-`);
  const errors = openSync(`${folder}/stderr`, 'w+');
  rmSync(folder, { recursive: true });
  try {
    const [file, ...args] = argv;
    const meter = startMeter([]);
    const start = process.hrtime.bigint();
    const { status, signal, error } = spawnSync(file, args, { env, stdio: ['ignore', 'ignore', errors] });
    const value = Number(process.hrtime.bigint() - start) / 1e6;
    const { disturbed } = meter();
    if (status === 0) return disturbed === undefined ? { value } : { value, disturbed };
    const said = readFileSync(`/proc/self/fd/${errors}`, 'utf8').trim();
    throw new Error(`${argv.join(' ')}: ended with ${status ?? signal}: ${said}`, { cause: error });
  } finally {
    closeSync(errors);
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
