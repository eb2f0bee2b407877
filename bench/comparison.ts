/** A comparison: series of figures, and what is claimed of them. */
import { type Summary, summarize } from './statistics.ts';

/** What figures are measured in. */
export type Unit = 'ms' | 'MiB' | 'processes';

/**
 * What a series is held against: its median against that of another (a ratio), or, without another, the highest of its
 * figures against a limit in its own unit.
 */
export interface Claim {
  readonly series: string;
  readonly baseline?: string;
  /** The highest that is allowed; without it the ratio is only shown. */
  readonly limit?: number;
}

/** A claim and what came out. */
export interface Verdict extends Claim {
  readonly value: number;
  /** `undefined` where there is no limit. */
  readonly kept: boolean | undefined;
}

/** One series, with every figure of it. */
export interface Series {
  readonly name: string;
  readonly summary: Summary;
  readonly values: readonly number[];
}

/** What was compared, and what came out. */
export interface Comparison {
  readonly name: string;
  readonly title: string;
  readonly unit: Unit;
  readonly series: readonly Series[];
  readonly verdicts: readonly Verdict[];
  readonly notes: readonly string[];
}

/** What a comparison is made of. */
export interface Measured {
  readonly name: string;
  readonly title: string;
  readonly unit: Unit;
  readonly values: ReadonlyMap<string, readonly number[]>;
  readonly claims: readonly Claim[];
  readonly notes?: readonly string[];
}

/** Sums up each series and judges each claim. Throws when a claim speaks of a series that was not measured. */
export function conclude({ name, title, unit, values, claims, notes = [] }: Measured): Comparison {
  const series = [...values].map(([key, list]) => ({ name: key, summary: summarize(list), values: list }));
  const summaryOf = (key: string): Summary => {
    const found = series.find((one) => one.name === key);
    if (found === undefined) throw new Error(`${name}: nothing measured ${key}`);
    return found.summary;
  };
  const verdicts = claims.map((claim): Verdict => {
    const { median, max } = summaryOf(claim.series);
    const value = claim.baseline === undefined ? max : median / summaryOf(claim.baseline).median;
    return { ...claim, value, kept: claim.limit === undefined ? undefined : value <= claim.limit };
  });
  return { name, title, unit, series, verdicts, notes };
}

/** Whether no limit was missed. */
export function allKept(comparisons: readonly Comparison[]): boolean {
  return comparisons.every(({ verdicts }) => verdicts.every(({ kept }) => kept !== false));
}
