/** What a job is: the smallest thing that is repeated. One run of it gives a sample of each of its series. */

import type { Metered } from '../meter.ts';
import type { Reading, Rig } from '../rig.ts';
import type { Answer } from '../session.ts';

/** Where on a workload's scales. */
export type Point = Readonly<Record<string, number>>;

/** A sample, and of what. */
export interface Measured {
  readonly workload: string;
  readonly point: Point;
  readonly reading: Reading;
}

/** What a series is of. */
export interface SeriesName {
  readonly workload: string;
  readonly point: Point;
}

/** See above. */
export interface Job {
  /** Unique in its block. */
  readonly id: string;
  /** Turns below which nothing can be said of it, where that is more than of others. */
  readonly least?: number;
  /** What it measures. */
  readonly series: readonly SeriesName[];
  /** Series that it measures of this subject; the others mean nothing of it. All where it is not there. */
  readonly means?: (rig: Pick<Rig, 'plan'>, series: SeriesName) => boolean;
  /** Runs it once. What it gives of series that were not asked for is passed over. */
  run(rig: Rig, options: JobOptions): Promise<readonly Measured[]>;
}

/** How jobs are run. */
export interface JobOptions {
  /** Whether anybody asked for a workload: what nobody did may be left out. */
  wants(workload: string): boolean;
  /** Whether there are minutes for all, and once in a turn has to be enough. */
  readonly isQuick: boolean;
  /** Seconds that one job of fio may take. */
  readonly fioSeconds: number;
  /** A number that is another one each time a subject is measured. */
  readonly time: number;
}

/** A sample of what a call in a container gave. */
export function readingOf(value: number, { counted }: Answer, metered: Metered): Reading {
  const { cpu, switches, read, written } = counted;
  return { value, cpu, switches, read, written, ...metered };
}

/** Calls once, between two looks, and gives the answer with them. */
export async function meteredCall(
  rig: Rig,
  call: () => Promise<Answer>,
): Promise<{ readonly answer: Answer; readonly metered: Metered }> {
  const { result, metered } = await rig.metered(call);
  return { answer: result, metered };
}

/** A value of an answer that must be there. */
export function figure(answer: Answer, name: string): number {
  const value = answer.values[name];
  if (value === undefined) throw new Error(`a call gave no ${name}`);
  return value;
}
