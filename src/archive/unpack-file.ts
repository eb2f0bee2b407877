import { closeFd } from '../linux/at.ts';
import { writeAll } from '../linux/files.ts';
import { ftruncate } from '../linux/space.ts';
import { beginWriteback } from '../linux/sync.ts';
import type { SparseRun, TarEntry } from './types.ts';

/** Files at least this large begin to go to disk while they are still written, so that the sync at the end is short. */
const WRITEBACK_FROM = 8 * 1024 * 1024;

/** A regular file that is being unpacked. */
export class FileBeingWritten {
  readonly fd: number;
  readonly #runs: readonly SparseRun[] | undefined;
  readonly #large: boolean;
  #run = 0;
  /** Bytes of the current run, or of the whole file when it has no runs. */
  #written = 0;
  #begun = 0;

  /** Takes over the descriptor of a new, empty file. */
  constructor(fd: number, entry: TarEntry) {
    this.fd = fd;
    this.#runs = entry.sparse;
    this.#large = entry.size >= WRITEBACK_FROM && entry.sparse === undefined;
  }

  /** Gives a sparse file its size, which its stored bytes alone may not reach. */
  setSize(size: number): void {
    if (this.#runs !== undefined) ftruncate(this.fd, size);
  }

  /** The next stored bytes. */
  write(chunk: Buffer): void {
    if (this.#runs === undefined) {
      writeAll(this.fd, chunk);
      this.#written += chunk.length;
      if (this.#large) this.#writeBack();
      return;
    }
    this.#writeRuns(this.#runs, chunk);
  }

  /** Closes it, complete or not. */
  close(): void {
    closeFd(this.fd);
  }

  #writeRuns(runs: readonly SparseRun[], chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const run = runs[this.#run];
      if (run === undefined) return;
      const take = Math.min(run.length - this.#written, chunk.length - at);
      if (take > 0) writeAll(this.fd, chunk.subarray(at, at + take), run.offset + this.#written);
      at += take;
      this.#written += take;
      if (this.#written === run.length) {
        this.#run++;
        this.#written = 0;
      }
    }
  }

  #writeBack(): void {
    if (this.#written - this.#begun < WRITEBACK_FROM) return;
    beginWriteback(this.fd, this.#begun, this.#written - this.#begun);
    this.#begun = this.#written;
  }
}
