/** How fast this machine is, from the blocks that are over: what the next one will take at least. */
import type { Block } from './blocks.ts';

/** A block's weight is what it takes to be made and to have four turns: about five turns. */
const TURNS_OF_WEIGHT = 5;

/** Looks on while one block runs. */
export interface Watch {
  /** Takes the kind of each event. */
  told(event: string): void;
  ended(): void;
}

/** See above. Times are milliseconds. */
export class Pace {
  /** Until the first job begins: the shortest so far, because much of it goes by how large the files are. */
  #setUp = 0;
  /** From the last job's end until all is taken away, of the last block. */
  #tearDown = 0;
  /** Of jobs: what they took, and what they were thought to take. */
  #took = 0;
  #expected = 0;
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How long stores take to be taken away. */
  get tearDown(): number {
    return this.#tearDown;
  }

  /** What a block takes until each of so many subjects has had one turn. */
  leastOf(block: Pick<Block, 'weight'>, subjects: number): number {
    const pace = this.#expected === 0 ? 0 : this.#took / this.#expected;
    return this.#setUp + this.#tearDown + pace * turnOf(block) * subjects;
  }

  /** A block begins. */
  begin(block: Pick<Block, 'weight'> & { readonly jobs: readonly unknown[] }): Watch {
    const begun = this.#now();
    let [turns, firstTurn, done] = [0, begun, begun];
    return {
      told: (event) => {
        const now = this.#now();
        if (event === 'begins') {
          if (turns === 0) firstTurn = now;
          turns += 1;
        }
        if (event === 'done') done = now;
      },
      ended: () => {
        if (turns === 0 || done === begun) return;
        const setUp = firstTurn - begun;
        this.#setUp = this.#expected === 0 ? setUp : Math.min(this.#setUp, setUp);
        this.#tearDown = this.#now() - done;
        this.#took += done - firstTurn;
        this.#expected += (turns * turnOf(block)) / block.jobs.length;
      },
    };
  }
}

function turnOf({ weight }: Pick<Block, 'weight'>): number {
  return (weight * 1000) / TURNS_OF_WEIGHT;
}
