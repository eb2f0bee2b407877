/**
 * How much of the long enumerations a run takes. `npm run test:full` takes every kill, every fault and whole storms;
 * `npm test` takes a sample of them, the same one each time, so that two runs of one commit say the same.
 * `TSENGINE_TEST_SAMPLE=N` takes another one.
 */
import { createHash } from 'node:crypto';

/** Whether this run takes everything. */
export const FULL = process.env.TSENGINE_TEST_FULL === '1';

/** Which sample this run takes. */
const SAMPLE = process.env.TSENGINE_TEST_SAMPLE ?? '0';

/** The larger number in a full run, else the smaller. */
export function sized(full: number, short: number): number {
  return FULL ? full : short;
}

/** A number that is the same for the same text and sample. */
function drawn(text: string): number {
  return createHash('sha256').update(`${SAMPLE} ${text}`).digest().readUInt32LE(0);
}

/** Options of a sample. */
export interface SampleOptions<T> {
  /** One in how many is taken, besides the first and the last of each kind. */
  readonly oneIn: number;
  /** What sort of thing it is. */
  readonly kindOf: (item: T) => string;
  /** What the sample is of: samples of different things are drawn apart. */
  readonly of: string;
}

/** All in a full run; else the first and the last of each kind, and one in so many of the others, in their order. */
export function sampleOf<T>(items: readonly T[], { oneIn, kindOf, of }: SampleOptions<T>): readonly T[] {
  if (FULL) return items;
  const first = new Map<string, number>();
  const last = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const kind = kindOf(item);
    if (!first.has(kind)) first.set(kind, index);
    last.set(kind, index);
  }
  return items.filter((item, index) => {
    const kind = kindOf(item);
    return first.get(kind) === index || last.get(kind) === index || drawn(`${of} ${index}`) % oneIn === 0;
  });
}

/** The end of a line that says what was covered: nothing in a full run. */
export function leftOut(taken: number, all: number): string {
  return taken === all ? '' : ` (${taken} of ${all}; npm run test:full takes all)`;
}
