/** By what factor one thing differs from another, over all points that both were measured at. */
import { CONFIDENCE, type Estimate, median, ratioEstimate, type Verdict, verdictOf } from '../statistics.ts';
import { chanceBeyond, type Spread, spreadBetween, spreadOf, standing } from './chance.ts';

/** Differences below this factor count as none. */
export const MARGIN = 1.05;

/** The values of both at one point, all above zero. */
export interface Pair {
  readonly values: readonly number[];
  readonly baseline: readonly number[];
  /** Which turn each value is of, where values at several points are of one turn: see report/turns.ts. */
  readonly turns?: readonly number[];
  readonly baselineTurns?: readonly number[];
}

/** A factor with its interval, and what is needed to judge it among many. */
export interface Contrast {
  readonly ratio: Estimate;
  readonly spread: Spread;
}

/**
 * More values than this on one side are represented by so many of them, evenly by rank. The interval only becomes wider, and
 * all pairs of them can be looked at.
 */
const MOST = 120;

/**
 * The factor over several points. What is usual at a point, the geometric mean of both medians, is divided out, so that points
 * count alike whatever their size. The interval is widened to hold the factor of every single point: what is said of all is true
 * of each, as far as it was measured.
 */
export function contrastOf(pairs: readonly Pair[], confidence: number = CONFIDENCE): Contrast | undefined {
  const measured = pairs.filter(({ values, baseline }) => values.length > 0 && baseline.length > 0);
  if (measured.length === 0) return undefined;
  const levels = measured.map((pair) => Math.sqrt(median(pair.values) * median(pair.baseline)));
  const values = byTurn(
    measured.map((pair) => pair.values),
    measured.map((pair) => pair.turns),
    levels,
  );
  const baseline = byTurn(
    measured.map((pair) => pair.baseline),
    measured.map((pair) => pair.baselineTurns),
    levels,
  );
  const ratio = ratioEstimate(thinned(values), thinned(baseline), confidence);
  const factors = measured.length === 1 ? [] : measured.map(factorOf);
  return {
    ratio: { ...ratio, low: Math.min(ratio.low, ...factors), high: Math.max(ratio.high, ...factors) },
    spread: spreadOf(values, baseline),
  };
}

/**
 * The values of all points, levelled. Those of one turn count once, with their geometric mean: they hang together, whatever
 * points they are of.
 */
function byTurn(
  points: readonly (readonly number[])[],
  turns: readonly (readonly number[] | undefined)[],
  levels: readonly number[],
): number[] {
  const logs = new Map<string, number[]>();
  for (const [point, values] of points.entries())
    for (const [index, value] of values.entries()) {
      const key = String(turns[point]?.[index] ?? `${point} ${index}`);
      const log = Math.log(value / (levels[point] ?? 1));
      const known = logs.get(key);
      if (known === undefined) logs.set(key, [log]);
      else known.push(log);
    }
  return [...logs.values()].map((list) => Math.exp(list.reduce((sum, log) => sum + log, 0) / list.length));
}

/** The estimate of `ratioEstimate` without its interval, which takes the most time. */
function factorOf({ values, baseline }: Pair): number {
  const bases = thinned(baseline);
  return median(thinned(values).flatMap((value) => bases.map((base) => value / base)));
}

function thinned(values: readonly number[]): readonly number[] {
  if (values.length <= MOST) return values;
  const sorted = values.toSorted((a, b) => a - b);
  return Array.from(
    { length: MOST },
    (_, index) => sorted[Math.floor(((index + 0.5) * sorted.length) / MOST)] ?? 0,
  );
}

/** How sure each of two factors must be for their quotient to be as sure as is usual. */
export const HALF_CONFIDENCE = (1 + CONFIDENCE) / 2;

/** The quotient of two factors, each of which was asked for with `HALF_CONFIDENCE`. It misses no more often than both together. */
export function quotientOf(a: Contrast, b: Contrast): Contrast {
  return {
    ratio: {
      value: a.ratio.value / b.ratio.value,
      low: a.ratio.low / b.ratio.high,
      high: a.ratio.high / b.ratio.low,
      confidence: Math.max(0, a.ratio.confidence + b.ratio.confidence - 1),
    },
    spread: spreadBetween(a.spread, b.spread),
  };
}

/** What a factor says by itself, and whether that stands among all that were looked at with it. */
export interface Judgement {
  readonly alone: Verdict;
  /** As `alone`, but `open` where chance finds as much somewhere among so many. */
  readonly among: Verdict;
}

/**
 * Judges factors that were looked at together. The interval must lie beyond the margin, which no assumption on the values
 * enters. And the chance of finding a single difference where there is none must stay below 5 % for all of them together;
 * rank tests of six values cannot say that of a hundred, so that it is Welch's test of the logarithms that must agree.
 */
export function judge(contrasts: readonly Contrast[], margin: number = MARGIN): Judgement[] {
  const stands = standing(
    contrasts.map(({ spread }) => chanceBeyond(spread, margin)),
    1 - CONFIDENCE,
  );
  return contrasts.map(({ ratio }, index) => {
    const alone = verdictOf(ratio, margin);
    const isDifferent = alone === 'larger' || alone === 'smaller';
    return { alone, among: isDifferent && stands[index] !== true ? 'open' : alone };
  });
}
