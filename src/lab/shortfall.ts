/** What results lack. The machine may be hostile, so that of any number of things one is kept, and their count. */

/** Things that are lacking, for one line. */
export class Tally {
  #first = '';
  #count = 0;

  /** How many there were. */
  get count(): number {
    return this.#count;
  }

  /** Counts one more. */
  add(what: string): void {
    if (this.#count === 0) this.#first = what;
    this.#count += 1;
  }

  /** The first of them, and how many more there are. Empty when there is none. */
  summary(): string {
    return this.#count < 2 ? this.#first : `${this.#first}, and ${this.#count - 1} more`;
  }
}

/** What was not brought, or not as it was. */
export interface Shortfall {
  /** What is damaged, or could not be written. */
  readonly lost: Tally;
  /** What a folder of results does not take: devices, sockets, set-ID bits. */
  readonly left: Tally;
  /** Whether so much was lost that no more was looked for. What was found by then was brought. */
  readonly isCut: boolean;
  /** Whether the disk took no more: what the command wrote last may be missing on it. */
  readonly isFull: boolean;
}
