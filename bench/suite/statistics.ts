/**
 * Medians and ratios with their 95 % intervals, free of any assumption on how the values are distributed: times of a computer
 * have long tails, and two humps where something is sometimes cached.
 */

/** An estimate, with the interval that holds the true value in `confidence` of all experiments. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** How sure the interval really is: with few values it is less than what was asked for. 0 to 1. */
  readonly confidence: number;
}

/** What is asked for where nothing else is said. */
export const CONFIDENCE = 0.95;

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

/** The median of values that need not be sorted; of none it is NaN. */
export function median(values: readonly number[]): number {
  return medianOfSorted(ascending(values));
}

function medianOfSorted(sorted: readonly number[]): number {
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] ?? Number.NaN;
  return Number.isInteger(half) ? ((sorted[half - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/**
 * The median with the narrowest symmetric pair of order statistics that holds it often enough. How many of n values lie
 * below the true median is a throw of n coins, so that the k-th smallest and the k-th largest miss it with twice the chance of
 * fewer than k heads. Five values and fewer do not reach 95 %: then it is the least and the greatest, and `confidence` says so.
 */
export function medianEstimate(values: readonly number[], confidence: number = CONFIDENCE): Estimate {
  const sorted = ascending(values);
  const n = sorted.length;
  let rank = 0;
  let missed = 2 ** -n;
  let chance = missed;
  let tail = missed;
  // `tail` is the chance of at most `rank` heads.
  while (rank + 1 < Math.floor(n / 2)) {
    chance *= (n - rank) / (rank + 1);
    if (2 * (tail + chance) > 1 - confidence) break;
    tail += chance;
    rank += 1;
    missed = tail;
  }
  const [low = Number.NaN, high = Number.NaN] = [sorted[rank], sorted[n - 1 - rank]];
  return { value: medianOfSorted(sorted), low, high, confidence: n === 0 ? 0 : Math.max(0, 1 - 2 * missed) };
}

/**
 * By how much `values` are larger than `baseline`, as a factor: the median of all ratios of one to the other (Hodges and Lehmann's
 * estimate of the shift of logarithms), with the interval that belongs to the rank-sum test. All values must be above zero. With
 * three values on either side it holds in 90 %, with four in 97 %.
 */
export function ratioEstimate(
  values: readonly number[],
  baseline: readonly number[],
  confidence: number = CONFIDENCE,
): Estimate {
  const ratios = ascending(values.flatMap((value) => baseline.map((base) => value / base)));
  if (ratios.length === 0) return { value: Number.NaN, low: Number.NaN, high: Number.NaN, confidence: 0 };
  const { rank, missed } = rankSumCut(values.length, baseline.length, confidence);
  const [low = Number.NaN, high = Number.NaN] = [ratios[rank], ratios[ratios.length - 1 - rank]];
  return { value: medianOfSorted(ratios), low, high, confidence: Math.max(0, 1 - 2 * missed) };
}

/** Beyond this many values on both sides together the distribution is taken for normal, which it is by then to 3 digits. */
const EXACT = 60;

/** How many ratios lie outside the interval at each end, and the chance that the true one is beyond that end. */
function rankSumCut(n: number, m: number, confidence: number): { rank: number; missed: number } {
  if (n + m > EXACT) {
    const deviations = normalQuantile(1 - (1 - confidence) / 2);
    const cut = (n * m) / 2 - deviations * Math.sqrt((n * m * (n + m + 1)) / 12);
    return { rank: Math.max(0, Math.floor(cut) - 1), missed: (1 - confidence) / 2 };
  }
  const counts = rankSumCounts(n, m);
  const total = counts.reduce((sum, count) => sum + count, 0);
  let below = counts[0] ?? 0;
  let rank = 0;
  let missed = below / total;
  for (;;) {
    below += counts[rank + 1] ?? Number.POSITIVE_INFINITY;
    if ((2 * below) / total > 1 - confidence) return { rank, missed };
    rank += 1;
    missed = below / total;
  }
}

/**
 * In how many orders of n and m values u pairs have the first one smaller, for each u: Mann and Whitney's distribution, by their
 * recurrence over the greatest value. Sums stay below 2^60; of that much the last digits do not matter.
 */
function rankSumCounts(n: number, m: number): readonly number[] {
  // rows[j] is the distribution for i and j values, while i grows.
  let rows: number[][] = Array.from({ length: m + 1 }, () => [1]);
  for (let i = 1; i <= n; i++) {
    const next: number[][] = [[1]];
    for (let j = 1; j <= m; j++) {
      const [fewer, less] = [rows[j] ?? [], next[j - 1] ?? []];
      next.push(
        Array.from({ length: i * j + 1 }, (_, u) => (u >= j ? (fewer[u - j] ?? 0) : 0) + (less[u] ?? 0)),
      );
    }
    rows = next;
  }
  return rows[m] ?? [1];
}

/** The quantile of the normal distribution, by bisection of its integral (Abramowitz and Stegun 26.2.17, to 7.5e-8). */
function normalQuantile(probability: number): number {
  let [low, high] = [-10, 10];
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (normalIntegral(middle) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function normalIntegral(x: number): number {
  if (x < 0) return 1 - normalIntegral(-x);
  const t = 1 / (1 + 0.2316419 * x);
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * series;
}

/** What can be said of a ratio when differences below a margin count as none. */
export type Verdict = 'larger' | 'smaller' | 'same' | 'open';

/**
 * `larger` or `smaller` when the whole interval is beyond the margin (1.05 is 5 %), `same` when all of it is within, and `open`
 * when it is both, or when the values are too few for the confidence asked for.
 */
export function verdictOf(ratio: Estimate, margin: number, confidence: number = CONFIDENCE): Verdict {
  if (!(ratio.confidence >= confidence)) return 'open';
  if (ratio.low > margin) return 'larger';
  if (ratio.high < 1 / margin) return 'smaller';
  return ratio.low >= 1 / margin && ratio.high <= margin ? 'same' : 'open';
}

/** Whether values say where their median is to within `part` of it (0.05: 5 %) on either side. */
export function isPrecise(values: readonly number[], part: number): boolean {
  const { value, low, high, confidence } = medianEstimate(values);
  return confidence >= CONFIDENCE && value - low <= part * value && high - value <= part * value;
}
