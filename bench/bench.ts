/** What a workload is given, and gives back. */
import type { LabDriver } from './in-lab.ts';
import { type Contestant, measureRounds } from './measure.ts';
import type { Claim, Comparison } from './schema.ts';
import type { Random } from './suite/random.ts';
import type { Unit } from './suite/schema.ts';

/** A workload: prepares what it needs, measures, removes what it made. One that cannot run throws. */
export interface Workload {
  /** For `--only`. */
  readonly name: string;
  /** The driver that it cannot do without, which this kernel may lack: it is measured in a machine of the lab then. */
  readonly driver?: LabDriver;
  /** Every comparison is taken down when it is done, whatever comes of the next one. */
  run(bench: Bench): Promise<unknown>;
}

/** What is measured, and how. */
export interface Plan {
  readonly name: string;
  readonly title: string;
  readonly unit: Unit;
  readonly contestants: readonly Contestant[];
  readonly claims: readonly Claim[];
  readonly notes?: readonly string[];
  /** How many times the usual number of runs: for what takes a fraction of a second. */
  readonly times?: number;
  readonly warmups?: number;
}

/** How thorough the measurement is, on what, and where one says how far it is. */
export interface Bench {
  readonly runs: number;
  /** Only tried out: workloads may be smaller. */
  readonly quick: boolean;
  /** Draws the order of contestants. */
  readonly random: Random;
  /** The launcher of the tsengine that is measured. */
  readonly launcher: string;
  /** The folder whose disk is measured. */
  readonly images: string;
  /** The process that stores go on record as belonging to. */
  readonly owner: number;
  /** Milliseconds since the start of the whole run. */
  clock(): number;
  progress(text: string): void;
  /** Takes down the version of what takes part. */
  version(name: string, version: string): void;
  /** Takes down a comparison. */
  found(comparison: Comparison): void;
  /** Takes down that somebody could not be measured, and why. */
  missing(series: string, reason: string): void;
}

/** Measures a plan's contestants in turn, and takes down what came out. */
export async function compare(bench: Bench, plan: Plan): Promise<Comparison> {
  const { name, title, unit, contestants, claims, notes = [], times = 1, warmups = 1 } = plan;
  const measured = await measureRounds(contestants, {
    runs: bench.runs * (bench.quick ? 1 : times),
    warmups,
    random: bench.random,
    clock: () => bench.clock(),
    progress: (text) => bench.progress(`${title}: ${text}`),
  });
  const series = [...measured].map(([of, samples]) => ({ name: of, samples }));
  const of = { name, title, unit, machine: 'host' };
  const comparison: Comparison = { ...of, series, claims: [...claims], notes: [...notes] };
  bench.found(comparison);
  return comparison;
}
