/** Output of a machine's command. Its reader may take its time, or not read at all: time limits and Ctrl-C go on all the while. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type UnwaitingWriter, unwaitingWriter } from '../linux/unwaiting-write.ts';
import { LONGEST_PAUSE, outputError, PAUSE } from './output.ts';

/** Standard output and standard error without waiting in the kernel. */
export class LabOutput implements Disposable {
  readonly #writers = new Map<number, UnwaitingWriter>();

  /**
   * Writes all of `data` to the descriptor (1 or 2) and settles when the reader has taken it, or `signal` is aborted: the rest is
   * dropped then. Fails with `ReaderGone` when nobody reads there any more.
   */
  async write(fd: 1 | 2, data: Buffer, signal: AbortSignal): Promise<void> {
    let pause = PAUSE;
    for (let done = 0; done < data.length && !signal.aborted; ) {
      const count = this.#writeSome(fd, data.subarray(done));
      done += count;
      // An aborted pause is no failure: the loop looks at the signal.
      if (count === 0) await sleep(pause, undefined, { signal }).catch(() => undefined);
      pause = count === 0 ? Math.min(pause * 2, LONGEST_PAUSE) : PAUSE;
    }
  }

  [Symbol.dispose](): void {
    for (const writer of this.#writers.values()) writer[Symbol.dispose]();
    this.#writers.clear();
  }

  #writeSome(fd: 1 | 2, data: Buffer): number {
    try {
      let writer = this.#writers.get(fd);
      if (writer === undefined) {
        writer = unwaitingWriter(fd);
        this.#writers.set(fd, writer);
      }
      return writer.write(data);
    } catch (error) {
      throw outputError(fd, error);
    }
  }
}
