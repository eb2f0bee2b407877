/**
 * Which job of which subject comes next, and when a block is over: rounds in random order, each job once in a round, for as long
 * as one of its series is not precise. What does not fit into the time that is left, going by what it took before, is not begun.
 */
import { shuffled } from '../random.ts';
import { isPrecise } from '../statistics.ts';

/** A job of a subject. */
export interface Pair {
  readonly subject: string;
  readonly job: string;
  /** The keys of its series. */
  readonly series: readonly string[];
  /** Turns below which nothing can be said of a series. */
  readonly least: number;
  /** Runs it once. Gives one value for each series. */
  run(): Promise<ReadonlyMap<string, number>>;
}

/** What bounds it. Times are milliseconds since the block's beginning. */
export interface Bounds {
  /** Beyond the least number of turns nothing begins that would not be over by then. */
  readonly softMs: number;
  /** Nothing begins that would not be over by then. */
  readonly hardMs: number;
  /** With this many turns of each series another one is the better use of the time. */
  readonly enough: number;
  /** How precise is precise: this part of the median on either side. */
  readonly precision: number;
}

/** What it is told, and tells. */
export interface Repeating {
  /** Values of an earlier beginning of the same run, by the series' keys. */
  readonly known: Readonly<Record<string, readonly number[]>>;
  /** Jobs that are not to be tried again, as `pairName` has them. */
  readonly givenUp: readonly string[];
  /** Gives numbers from 0 to 1. */
  random(): number;
  /** Milliseconds since the block's beginning. */
  since(): number;
  /** A job did not work; it is not tried again. */
  failed(pair: Pair, error: unknown): void;
  /** The time is over, and a job has had so few turns. */
  lacking(pair: Pair, turns: number): void;
}

/** `SUBJECT JOB`. */
export function pairName({ subject, job }: Pick<Pair, 'subject' | 'job'>): string {
  return `${subject} ${job}`;
}

/** Repeats them. Gives whether all of them need no more, and it was not the time that ended it. */
export async function repeatPairs(
  pairs: readonly Pair[],
  bounds: Bounds,
  repeating: Repeating,
): Promise<boolean> {
  const { since, random } = repeating;
  const values = new Map(Object.entries(repeating.known).map(([key, list]) => [key, [...list]]));
  const givenUp = new Set(repeating.givenUp);
  const took = new Took();
  const turns = ({ series }: Pair): number => Math.min(...series.map((key) => values.get(key)?.length ?? 0));
  const isOpen = (pair: Pair): boolean => {
    if (pair.series.length === 0 || givenUp.has(pairName(pair))) return false;
    const lists = pair.series.map((key) => values.get(key) ?? []);
    return turns(pair) < bounds.enough && !lists.every((list) => isPrecise(list, bounds.precision));
  };
  const isLacking = (pair: Pair): boolean => turns(pair) < pair.least;
  const runOne = async (pair: Pair): Promise<void> => {
    const began = since();
    try {
      const found = await pair.run();
      for (const key of pair.series) {
        const value = found.get(key);
        // It would be asked for it until the time is over.
        if (value === undefined) throw new Error(`a turn of ${pair.job} gave nothing of ${key}`);
        values.set(key, [...(values.get(key) ?? []), value]);
      }
      took.add(pair, since() - began);
    } catch (error) {
      givenUp.add(pairName(pair));
      repeating.failed(pair, error);
    }
  };
  for (let open = pairs.filter(isOpen); open.length > 0; open = open.filter(isOpen)) {
    const fits = (list: readonly Pair[], endMs: number): boolean => since() + took.of(list) <= endMs;
    const round = fits(open, bounds.softMs) ? open : open.filter(isLacking);
    // A part of a round would be of no use to those that it leaves out, and the time is of use to the next block.
    const isHopeless = round.every((pair) => turns(pair) > 0) && !fits(round, bounds.hardMs);
    let begun = 0;
    // One that did not fit may be longer than the next.
    for (const pair of isHopeless ? [] : shuffled(round, random)) {
      if (since() >= bounds.hardMs || !fits([pair], bounds.hardMs)) continue;
      begun += 1;
      await runOne(pair);
    }
    if (begun > 0) continue;
    for (const pair of open.filter(isOpen)) if (isLacking(pair)) repeating.lacking(pair, turns(pair));
    return false;
  }
  return true;
}

/** How many turns are looked back on. */
const LOOK_BACK = 3;

/** How long jobs took. */
class Took {
  /** By the job, and by the subject's. */
  readonly #jobs = new Map<string, number>();
  readonly #pairs = new Map<string, number[]>();

  add(pair: Pair, ms: number): void {
    const name = pairName(pair);
    this.#pairs.set(name, [ms, ...(this.#pairs.get(name) ?? [])].slice(0, LOOK_BACK));
    this.#jobs.set(pair.job, Math.max(ms, this.#jobs.get(pair.job) ?? 0));
  }

  /** How long all of them will take: each the longest of its last turns; one that had none, the longest of the same job elsewhere. */
  of(pairs: readonly Pair[]): number {
    return pairs.reduce((sum, pair) => sum + this.#of(pair), 0);
  }

  #of(pair: Pair): number {
    const own = this.#pairs.get(pairName(pair));
    return own === undefined ? (this.#jobs.get(pair.job) ?? 0) : Math.max(...own);
  }
}
