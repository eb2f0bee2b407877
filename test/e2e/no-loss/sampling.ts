/**
 * How much of all calls a run of the tests takes. Every call of every operation in turn is some thousand crashes, an hour of
 * two processors: `TSENGINE_TEST_EVERY=1` does that. Without it a run takes every so many calls, beginning with another one
 * each day, so that runs of some days take all; `TSENGINE_TEST_OFFSET=n` repeats what a run has said it began with.
 */

/** Which calls of a sequence are taken: the first of them (from 0), and every so many from there. */
export interface Sampling {
  readonly offset: number;
  readonly stride: number;
}

const DAY = 86_400_000;

/** One in `stride` calls, or all where everything was asked for. */
export function oneIn(stride: number): Sampling {
  if (process.env.TSENGINE_TEST_EVERY === '1') return { offset: 0, stride: 1 };
  const given = Number(process.env.TSENGINE_TEST_OFFSET ?? Number.NaN);
  const offset = Number.isInteger(given) && given >= 0 ? given : Math.floor(Date.now() / DAY);
  return { offset: offset % stride, stride };
}

/** For people. */
export function describeSampling({ offset, stride }: Sampling): string {
  return stride === 1 ? 'each' : `one in ${stride} (TSENGINE_TEST_OFFSET=${offset})`;
}
