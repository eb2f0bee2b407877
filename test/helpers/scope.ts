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
  /** One in how many is taken, besides the very last and one end of each kind. */
  readonly oneIn: number;
  /** One kind in how many has its end taken; each unless given. */
  readonly oneKindIn?: number;
  /** Whether the first and the last of each kind are taken, and not one of them by chance. */
  readonly bothEnds?: boolean;
  /** What sort of thing it is. */
  readonly kindOf: (item: T) => string;
  /** What the sample is of: samples of different things are drawn apart. */
  readonly of: string;
}

/**
 * All in a full run; else the very last, the first or the last of each kind that is taken, and one in so many of the others,
 * in their order.
 */
export function sampleOf<T>(items: readonly T[], options: SampleOptions<T>): readonly T[] {
  if (FULL) return items;
  const { oneIn, oneKindIn = 1, bothEnds = false, kindOf, of } = options;
  const ends = new Map<string, { readonly first: number; last: number }>();
  for (const [index, item] of items.entries()) {
    const known = ends.get(kindOf(item));
    if (known === undefined) ends.set(kindOf(item), { first: index, last: index });
    else known.last = index;
  }
  const taken = new Set([items.length - 1]);
  for (const [kind, { first, last }] of ends) {
    const draw = drawn(`${of} ${kind}`);
    if ((draw >>> 1) % oneKindIn !== 0) continue;
    const takesFirst = draw % 2 === 0;
    if (bothEnds || takesFirst) taken.add(first);
    if (bothEnds || !takesFirst) taken.add(last);
  }
  return items.filter((_, index) => taken.has(index) || drawn(`${of} ${index}`) % oneIn === 0);
}

/** Why a test is left to full runs, and `false` in one; `kept` says what of its idea every run has. */
export function inFullRuns(kept: string): string | false {
  return FULL ? false : `npm run test:full; ${kept}`;
}

/** How kills at each call of an operation are sampled: some ends of kinds and a few of the calls between. */
export const OF_CALLS = { oneIn: 60, oneKindIn: 4 } as const;
/** How faults are: only calls that write have them. */
export const OF_WRITES = { oneIn: 30, oneKindIn: 3 } as const;
/** How rows of a table are sampled that two engines answer. `TSENGINE_TEST_ROWS=all` takes every one, in a run that is not full. */
export const OF_ROWS = process.env.TSENGINE_TEST_ROWS === 'all' ? { oneIn: 1 } : { oneIn: 12, oneKindIn: 4 };

/** The end of a line that says what was covered: nothing in a full run. */
export function leftOut(taken: number, all: number): string {
  return taken === all ? '' : ` (${taken} of ${all}; npm run test:full takes all)`;
}

/** Which of several a variable of the environment takes alone; `undefined` when it is not set. Throws for a name of none of them: else nothing would run and all be well. */
export function onlyOne(variable: string, names: readonly string[]): string | undefined {
  const name = process.env[variable];
  if (name === undefined || names.includes(name)) return name;
  throw new Error(`${variable}=${name}: there is none of that name, but ${names.join(', ')}`);
}

/** The runtime that a run of the tests is for, `TSENGINE_TEST_RUNTIME`; `undefined` for the one that is taken by itself. */
export function testRuntime(): string | undefined {
  const chosen = process.env.TSENGINE_TEST_RUNTIME ?? '';
  return chosen === '' ? undefined : chosen;
}
