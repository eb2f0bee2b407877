/** What a series of measurements says, in the unit of the measurements. */
export interface Summary {
  readonly runs: number;
  readonly median: number;
  /** Tenth and ninetieth percentile: the spread, without the one run that something else disturbed. */
  readonly p10: number;
  readonly p90: number;
  readonly min: number;
  readonly max: number;
}

/** Sums up `values`, which must not be empty. Percentiles are interpolated between neighbours. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (fraction: number): number => {
    const position = (sorted.length - 1) * fraction;
    const low = sorted[Math.floor(position)] ?? Number.NaN;
    const high = sorted[Math.ceil(position)] ?? Number.NaN;
    return low + (high - low) * (position - Math.floor(position));
  };
  return { runs: sorted.length, median: at(0.5), p10: at(0.1), p90: at(0.9), min: at(0), max: at(1) };
}
