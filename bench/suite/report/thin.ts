/** A result without its samples, small enough for a repository: what a report says of it is the same. */
import type { Result } from '../schema.ts';
import { isDisturbed } from './figures.ts';
import { turnsOf } from './turns.ts';

/** So many digits of a value are kept: ten times what the narrowest interval carries. */
const DIGITS = 5;

/**
 * Each series with the median of each turn in the place of its samples. Reports, verdicts and comparisons are made of these; what is
 * lost is what was counted beside each sample, and when it was. The result says that it is so.
 */
export function thinResult(result: Result): Result {
  const turns = turnsOf(result);
  return {
    ...result,
    series: result.series.map((series) => {
      if (series.thinned !== undefined || series.samples.length === 0) return series;
      const { values, turns: numbers } = turns(series);
      const [samples, disturbed] = [series.samples.length, series.samples.filter(isDisturbed).length];
      return {
        ...series,
        samples: [],
        thinned: {
          values: values.map((value) => Number(value.toPrecision(DIGITS))),
          turns: [...numbers],
          ...(samples === values.length ? {} : { samples }),
          ...(disturbed === 0 ? {} : { disturbed }),
        },
      };
    }),
  };
}

/** Whether samples were left out of it. */
export function isThinned({ series }: Result): boolean {
  return series.some(({ thinned }) => thinned !== undefined);
}
