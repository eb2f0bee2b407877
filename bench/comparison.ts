/** What a comparison says: medians and ratios with their intervals, and whether limits were kept. */
import type { Claim, Comparison } from './schema.ts';
import { CONFIDENCE, type Estimate, medianEstimate, ratioEstimate } from './suite/statistics.ts';

/** A claim and what came out. */
export interface Verdict extends Claim {
  /** The ratio to the baseline; without one the highest value. */
  readonly value: number;
  /** The ratio's interval; `undefined` without a baseline. */
  readonly ratio: Estimate | undefined;
  /** `undefined` where there is no limit. */
  readonly kept: boolean | undefined;
  /** The limit lies within the interval: another run may say the opposite. */
  readonly isOpen: boolean;
}

/** One series, summed up. */
export interface Figure {
  readonly name: string;
  readonly median: Estimate;
  readonly least: number;
  readonly greatest: number;
  readonly runs: number;
  /** How many of the samples something disturbed. They count as the others do. */
  readonly disturbed: number;
  /** There are too few values for the interval to be one of 95 %. */
  readonly isFew: boolean;
}

/** What came out of a comparison. */
export interface Conclusion {
  readonly figures: readonly Figure[];
  readonly verdicts: readonly Verdict[];
}

/** Sums up each series and judges each claim. Throws when a claim speaks of a series that was not measured. */
export function conclude({ name, series, claims }: Comparison): Conclusion {
  const valuesOf = (wanted: string): number[] => {
    const values = series.find((one) => one.name === wanted)?.samples.map(({ value }) => value) ?? [];
    if (values.length === 0) throw new Error(`${name}: nothing measured ${wanted}`);
    return values;
  };
  const figures = series.map(({ name: of, samples }): Figure => {
    const values = samples.map(({ value }) => value);
    const median = medianEstimate(values);
    return {
      ...{ name: of, median, least: Math.min(...values), greatest: Math.max(...values) },
      runs: values.length,
      disturbed: samples.filter(({ disturbed = [] }) => disturbed.length > 0).length,
      isFew: median.confidence < CONFIDENCE,
    };
  });
  const verdicts = claims.map((claim): Verdict => {
    const { baseline, limit } = claim;
    const values = valuesOf(claim.series);
    const ratio = baseline === undefined ? undefined : ratioEstimate(values, valuesOf(baseline));
    const value = ratio?.value ?? Math.max(...values);
    return {
      ...{ ...claim, value, ratio },
      kept: limit === undefined ? undefined : value <= limit,
      isOpen: limit !== undefined && ratio !== undefined && limit >= ratio.low && limit < ratio.high,
    };
  });
  return { figures, verdicts };
}

/** Whether no limit was missed. */
export function allKept(comparisons: readonly Comparison[]): boolean {
  return comparisons.every((one) => conclude(one).verdicts.every(({ kept }) => kept !== false));
}
