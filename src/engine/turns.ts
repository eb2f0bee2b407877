/**
 * Lets one caller in this process go on at a time, in the order in which they came. Locks are for other processes: a caller
 * who waits for one keeps a thread of the pool, which those who hold it may need.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does `work` when everybody who came before is done, and gives what it gives. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
