/** How much better one subject is than another, on the same machine or through the raw filesystems of two. */
import { type Contrast, contrastOf, HALF_CONFIDENCE, quotientOf } from '../compare/contrast.ts';
import type { Subject, Workload } from '../schema.ts';
import { CONFIDENCE, type Estimate, median, medianEstimate } from '../statistics.ts';
import { type Figure, type Figures, type Point, pairOf, pointKey, worths } from './figures.ts';

/** Which workloads and points are looked at. */
export type Choice = (workload: Workload, point: Point) => boolean;

/** How many times better a subject is than another one. */
export interface Relation extends Contrast {
  readonly subject: Subject;
  readonly other: Subject;
  /** They were measured on two machines, so that it is the ratio of their ratios to the raw filesystem of each. */
  readonly isAcross: boolean;
  /** How many points both were measured at, over all workloads. */
  readonly points: number;
  /** Of all samples that it is made of, the part that something disturbed. */
  readonly disturbed: number;
}

/** The figures of both at one point, with those of their baselines where they are needed. */
type Row = readonly [subject: Figure, other: Figure, raw?: Figure, otherRaw?: Figure];

/** Compares two subjects at all points that both have; undefined where there is none, or nothing to relate two machines by. */
export function relate(
  figures: Figures,
  subject: Subject,
  other: Subject,
  chosen: Choice,
): Relation | undefined {
  const isAcross = subject.machine !== other.machine;
  const rows = rowsOf(figures, subject, other, chosen);
  const contrast = isAcross ? contrastAcross(rows) : contrastOf(rows.map(([a, b]) => pairOf(a, b)));
  if (contrast === undefined) return undefined;
  return { ...contrast, subject, other, isAcross, points: rows.length, disturbed: disturbedOf(rows) };
}

function contrastAcross(rows: readonly Row[]): Contrast | undefined {
  const sides = [
    rows.flatMap(([a, , raw]) => (raw === undefined ? [] : [pairOf(a, raw)])),
    rows.flatMap(([, b, , raw]) => (raw === undefined ? [] : [pairOf(b, raw)])),
  ].map((pairs) => contrastOf(pairs, HALF_CONFIDENCE));
  const [a, b] = sides;
  return a === undefined || b === undefined ? undefined : quotientOf(a, b);
}

function disturbedOf(rows: readonly Row[]): number {
  const all = rows.flat().filter((figure) => figure !== undefined);
  const count = all.reduce((sum, { samples }) => sum + samples, 0);
  return count === 0 ? 0 : all.reduce((sum, { disturbed }) => sum + disturbed, 0) / count;
}

/**
 * Whether two subjects can be compared as filesystems: on one machine, or through raw filesystems of the same kind. Beside its own
 * filesystem a driver shows what the driver costs, and not how fast or slow that filesystem is.
 */
export function isOneMeasure({ result }: Figures, subject: Subject, other: Subject): boolean {
  if (subject.machine === other.machine) return true;
  const [a, b] = [subject, other].map(
    ({ baseline }) => result.subjects.find(({ id }) => id === baseline)?.backing,
  );
  return a !== undefined && a === b;
}

/** The points at which all that is needed was measured. */
function rowsOf(figures: Figures, subject: Subject, other: Subject, chosen: Choice): Row[] {
  const has = (figure: Figure | undefined): figure is Figure =>
    figure !== undefined && figure.values.length > 0;
  return figures.result.workloads.flatMap((workload) => {
    const others = new Map(
      figures.of(other.id, workload.id).map((figure) => [pointKey(figure.point), figure]),
    );
    return figures.of(subject.id, workload.id).flatMap((figure): Row[] => {
      const match = others.get(pointKey(figure.point));
      if (!has(figure) || !has(match) || !chosen(workload, figure.point)) return [];
      if (subject.machine === other.machine) return [[figure, match]];
      const [raw, otherRaw] = [subject, other].map(({ baseline }) =>
        baseline === null ? undefined : figures.at(baseline, workload.id, figure.point),
      );
      return has(raw) && has(otherRaw) ? [[figure, match, raw, otherRaw]] : [];
    });
  });
}

/** How many times better a subject is than another one over many workloads, each of which counts once. */
export interface Overall {
  /** The median over the workloads, with the interval of such a median. */
  readonly ratio: Estimate;
  readonly workloads: number;
  readonly isAcross: boolean;
}

/**
 * So many turns must a figure be of to count in a comparison over many workloads. One turn may be slow from its beginning to its
 * end, and all workloads that are measured in it with it: then they agree, and say nothing.
 */
export const LEAST_TURNS = 3;

/** Compares two subjects over all workloads that both have: the median of the workloads' ratios of medians. */
export function relateOverall(figures: Figures, subject: Subject, other: Subject, chosen: Choice): Overall {
  const logs = new Map<string, number[]>();
  for (const row of rowsOf(figures, subject, other, chosen)) {
    const [a, b, raw, otherRaw] = row;
    if (row.some((figure) => figure !== undefined && figure.values.length < LEAST_TURNS)) continue;
    const level = (figure: Figure | undefined): number =>
      figure === undefined ? 0 : Math.log(median(worths(figure)));
    const log = level(a) - level(raw) - (level(b) - level(otherRaw));
    logs.set(a.workload.id, [...(logs.get(a.workload.id) ?? []), log]);
  }
  const ratios = [...logs.values()].map((list) =>
    Math.exp(list.reduce((sum, log) => sum + log, 0) / list.length),
  );
  return {
    ratio: medianEstimate(ratios, CONFIDENCE),
    workloads: ratios.length,
    isAcross: subject.machine !== other.machine,
  };
}
