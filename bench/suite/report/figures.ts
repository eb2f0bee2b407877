/** All figures of a result: each series with its median, its interval and what must be said of it. */

import type { Pair } from '../compare/contrast.ts';
import { isNoTime } from '../measure/no-time.ts';
import type { Result, Sample, Series, Subject, Unit, Workload } from '../schema.ts';
import { CONFIDENCE, type Estimate, medianEstimate } from '../statistics.ts';
import { type TurnValues, turnsOf } from './turns.ts';

/** Where on a workload's scales. */
export type Point = Series['point'];

/** A series, ready to be shown and compared. */
export interface Figure {
  readonly subject: Subject;
  readonly workload: Workload;
  readonly point: Point;
  /** Those that count by themselves, one for each turn: see turns.ts. */
  readonly values: readonly number[];
  /** Which turn each of them is of. */
  readonly turns: readonly number[];
  readonly median: Estimate;
  /** How many samples there are. */
  readonly samples: number;
  /** How many of the samples something disturbed. They count as the others do. */
  readonly disturbed: number;
  /** There are too few values for the interval to be one of 95 %. */
  readonly isFew: boolean;
  /** Why there are no more samples, when something failed. */
  readonly error: string | undefined;
  /** There was no time for it, or not for all of it, which is nobody's fault and no error. */
  readonly isLate: boolean;
}

/** The figures of a result, found by subject, workload and point. */
export interface Figures {
  readonly result: Result;
  readonly list: readonly Figure[];
  /** Those of one subject and workload, in the order of their points. */
  of(subject: string, workload: string): readonly Figure[];
  at(subject: string, workload: string, point: Point): Figure | undefined;
}

/** A point as text, the same whatever the order of its scales. */
export function pointKey(point: Point): string {
  return Object.keys(point)
    .sort()
    .map((scale) => `${scale}=${point[scale]}`)
    .join(' ');
}

/** Works out the figures of a result. */
export function figuresOf(result: Result): Figures {
  const subjects = new Map(result.subjects.map((subject) => [subject.id, subject]));
  const workloads = new Map(result.workloads.map((workload) => [workload.id, workload]));
  const turns = turnsOf(result);
  const list = result.series.flatMap((series) => {
    const [subject, workload] = [subjects.get(series.subject), workloads.get(series.workload)];
    return subject === undefined || workload === undefined
      ? []
      : [figureOf(series, subject, workload, turns(series))];
  });
  const groups = new Map<string, Figure[]>();
  for (const figure of list) {
    const key = JSON.stringify([figure.subject.id, figure.workload.id]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [figure]);
    else group.push(figure);
  }
  for (const group of groups.values()) group.sort((a, b) => comparePoints(a.point, b.point));
  const of: Figures['of'] = (subject, workload) => groups.get(JSON.stringify([subject, workload])) ?? [];
  const at: Figures['at'] = (subject, workload, point) => {
    const key = pointKey(point);
    return of(subject, workload).find((figure) => pointKey(figure.point) === key);
  };
  return { result, list, of, at };
}

function figureOf(
  { point, samples, error, thinned }: Series,
  subject: Subject,
  workload: Workload,
  { values, turns }: TurnValues,
): Figure {
  const median = medianEstimate(values);
  const isLate = error !== undefined && isNoTime(error);
  return {
    subject,
    workload,
    point,
    values,
    turns,
    median,
    samples: thinned === undefined ? samples.length : (thinned.samples ?? values.length),
    disturbed: thinned === undefined ? samples.filter(isDisturbed).length : (thinned.disturbed ?? 0),
    isFew: median.confidence < CONFIDENCE,
    error: isLate ? undefined : error,
    isLate,
  };
}

/** Whether something disturbed it. */
export function isDisturbed({ disturbed = [] }: Sample): boolean {
  return disturbed.length > 0;
}

/** By the values of the scales, in the order in which the points name them. */
export function comparePoints(a: Point, b: Point): number {
  for (const scale of Object.keys(a)) {
    const difference = (a[scale] ?? 0) - (b[scale] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * What is not told apart from nothing. Ratios need values above zero, and where one side wrote nothing and the other a gigabyte
 * that has to be seen: less than a block, a piece, a nanosecond counts as one.
 */
const LEAST: Readonly<Record<Unit, number>> = {
  ms: 1e-6,
  bytes: 4096,
  'bytes/s': 1,
  'ops/s': 1e-3,
  count: 1,
  ratio: 1e-6,
};

/** Two figures at the same point, as contrasts are made of. */
export function pairOf(figure: Figure, baseline: Figure): Pair {
  return {
    ...{ values: worths(figure), turns: figure.turns },
    ...{ baseline: worths(baseline), baselineTurns: baseline.turns },
  };
}

/** Values turned so that more is better, all above zero: what ratios of one subject to another are made of. */
export function worths({ values, workload }: Figure): number[] {
  const least = LEAST[workload.unit];
  return values.map((value) => {
    const counted = Math.max(value, least);
    return workload.better === 'less' ? 1 / counted : counted;
  });
}
