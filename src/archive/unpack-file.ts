import { closeFd } from '../linux/at.ts';
import { writeAll } from '../linux/files.ts';
import { ftruncate } from '../linux/space.ts';
import { beginWriteback } from '../linux/sync.ts';
import type { SparseRun, TarEntry } from './types.ts';

/** Files at least this large begin to go to disk while they are still written, so that the sync at the end is short. */
const WRITEBACK_FROM = 8 * 1024 * 1024;

/** Zeros from this many bytes on become a hole; files that are smaller have none. */
const HOLE = 64 * 1024;
/** What is looked at at a time. */
const BLOCK = 4096;
const ZEROS = Buffer.alloc(BLOCK);

/** A regular file that is being unpacked. Long stretches of zeros in it become holes. */
export class FileBeingWritten {
  readonly fd: number;
  readonly #runs: readonly SparseRun[] | undefined;
  readonly #large: boolean;
  #run = 0;
  readonly #mayHaveHoles: boolean;
  #hasHoles = false;
  /** Bytes of the current run, or of the whole file when it has no runs. */
  #written = 0;
  #begun = 0;

  /** Takes over the descriptor of a new, empty file. */
  constructor(fd: number, entry: TarEntry) {
    this.fd = fd;
    this.#runs = entry.sparse;
    this.#mayHaveHoles = entry.size >= HOLE;
    this.#large = entry.size >= WRITEBACK_FROM && entry.sparse === undefined;
  }

  /** Gives a sparse file its size, which its stored bytes alone may not reach. */
  setSize(size: number): void {
    if (this.#runs !== undefined) ftruncate(this.fd, size);
  }

  /** The next stored bytes. */
  write(chunk: Buffer): void {
    if (this.#runs === undefined) {
      this.#writePlain(chunk);
      if (this.#large) this.#writeBack();
      return;
    }
    this.#writeRuns(this.#runs, chunk);
  }

  /** All bytes were written: one that ends in a hole gets its size. Before its times are set. */
  finish(): void {
    if (this.#hasHoles) ftruncate(this.fd, this.#written);
  }

  /** Closes it, complete or not. */
  close(): void {
    closeFd(this.fd);
  }

  #writePlain(chunk: Buffer): void {
    const start = this.#written;
    this.#written += chunk.length;
    if (!this.#mayHaveHoles) {
      writeAll(this.fd, chunk);
      return;
    }
    let from = 0;
    for (const [zeros, end] of longZeros(chunk, start)) {
      this.#writeAt(chunk.subarray(from, zeros), start + from);
      this.#hasHoles = true;
      from = end;
    }
    this.#writeAt(chunk.subarray(from), start + from);
  }

  #writeAt(bytes: Buffer, position: number): void {
    if (bytes.length > 0) writeAll(this.fd, bytes, position);
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

/** Stretches of zeros in a chunk that is at `start` in its file: long ones, and those at its ends, which may go on. */
function* longZeros(chunk: Buffer, start: number): Generator<[number, number]> {
  let zeros = -1;
  for (let at = 0; at < chunk.length; ) {
    const end = Math.min(chunk.length, at + BLOCK - ((start + at) % BLOCK));
    const isZero = chunk[at] === 0 && chunk.compare(ZEROS, 0, end - at, at, end) === 0;
    if (isZero && zeros < 0) zeros = at;
    if (!isZero && zeros >= 0) {
      if (at - zeros >= HOLE || zeros === 0) yield [zeros, at];
      zeros = -1;
    }
    at = end;
  }
  if (zeros >= 0) yield [zeros, chunk.length];
}
