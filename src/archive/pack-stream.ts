import { readInto } from '../linux/files.ts';
import { seekData, seekHole } from '../linux/space.ts';
import type { FileStat } from '../linux/stat.ts';
import { wholeBlockRuns } from './sparse.ts';
import type { SparseRun, TarEntry } from './types.ts';
import { contentSize, encodeHeader, endOfArchive, padding } from './writer.ts';

/** Bytes of a chunk of many small members. */
const BATCH = 256 * 1024;
/** Bytes of a chunk of a large file. */
const LARGE = 1024 * 1024;
/** Sparse files with more runs than this are written out: the map would be larger than what it saves. */
const MAX_RUNS = 10_000;

/** Collects an archive's bytes in chunks. Chunks that were given out are not touched again. */
export class ArchiveBuffer {
  #chunk = Buffer.allocUnsafe(BATCH);
  #used = 0;

  /** A member without content, or the header of one whose content follows with `content`. */
  *header(entry: TarEntry): Generator<Buffer> {
    yield* this.#put(encodeHeader(entry));
  }

  /**
   * The content of a file, read from its beginning or run by run, and the padding after it. The archive has said how
   * long it is: when the file became shorter since, the rest is zeros; what it grew by is left out.
   */
  *content(fd: number, entry: TarEntry): Generator<Buffer> {
    for (const run of entry.sparse ?? [{ offset: 0, length: entry.size }]) yield* this.#run(fd, run);
    yield* this.#put(padding(contentSize(entry)));
  }

  /** The end of the archive, and what is left. */
  *end(): Generator<Buffer> {
    yield* this.#put(endOfArchive);
    if (this.#used > 0) yield this.#chunk.subarray(0, this.#used);
    this.#used = 0;
  }

  *#put(bytes: Buffer): Generator<Buffer> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#used === this.#chunk.length) yield* this.#flush(BATCH);
      const copied = bytes.copy(this.#chunk, this.#used, at);
      this.#used += copied;
      at += copied;
    }
  }

  *#run(fd: number, run: SparseRun): Generator<Buffer> {
    for (let done = 0; done < run.length; ) {
      const left = run.length - done;
      if (this.#used === this.#chunk.length) yield* this.#flush(left >= LARGE ? LARGE : BATCH);
      const want = Math.min(left, this.#chunk.length - this.#used);
      const read = readInto(fd, this.#chunk, this.#used, want, run.offset + done);
      if (read === 0) this.#chunk.fill(0, this.#used, this.#used + want);
      const got = read === 0 ? want : read;
      this.#used += got;
      done += got;
    }
  }

  *#flush(next: number): Generator<Buffer> {
    yield this.#chunk.subarray(0, this.#used);
    this.#chunk = Buffer.allocUnsafe(next);
    this.#used = 0;
  }
}

/**
 * The runs of data of a file, when its holes are `threshold` bytes or more; `undefined` when it is better written out.
 * The filesystem tells where the holes are, and `blocks` whether it is worth asking.
 */
export function dataRuns(fd: number, stat: FileStat, threshold: number): SparseRun[] | undefined {
  if (stat.size - stat.blocks * 512 < threshold) return undefined;
  const runs: SparseRun[] = [];
  let stored = 0;
  for (let at = 0; at < stat.size; ) {
    const offset = seekData(fd, at);
    if (offset === undefined || offset >= stat.size) break;
    const end = Math.min(seekHole(fd, offset) ?? stat.size, stat.size);
    // A file that is cut short meanwhile.
    if (end <= offset) break;
    runs.push({ offset, length: end - offset });
    if (runs.length > MAX_RUNS) return undefined;
    stored += end - offset;
    at = end;
  }
  return stat.size - stored < threshold ? undefined : wholeBlockRuns(runs, stat.size);
}
