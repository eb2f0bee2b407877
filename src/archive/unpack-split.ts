import { closeFile, openFile, removeFile, writeAll } from '../linux/files.ts';
import { TarReader } from './reader.ts';
import { TarSplitWriter } from './tar-split.ts';
import type { TarSink } from './types.ts';

/**
 * A tar-split, gzipped, that is written to a file (made or replaced, mode 0644) while an archive is read. Dispose of it:
 * the file is gone then, unless `finish` was called.
 */
export class TarSplitFile implements Disposable {
  readonly #path: string;
  readonly #file: number;
  readonly #writer: TarSplitWriter;
  #complete = false;

  constructor(path: string) {
    this.#path = path;
    this.#file = openFile(path, 'w', 0o644);
    this.#writer = new TarSplitWriter((gzip) => writeAll(this.#file, gzip));
  }

  /** For a `TarReader` with `rawBytes`. */
  get sink(): TarSink {
    return this.#writer;
  }

  /** The archive was read to its end. */
  finish(): void {
    this.#writer.finish();
    this.#complete = true;
  }

  [Symbol.dispose](): void {
    closeFile(this.#file);
    if (!this.#complete) removeFile(this.#path);
  }
}

/**
 * Passes an archive through and writes its tar-split on the way. The file is complete when the stream is at its end, and
 * gone when it ended in any other way. Errors are the source's, or those of reading the archive.
 *
 * It reads the archive for itself, although the unpacking does as well: parsing costs a hundredth of what the checksum
 * over all contents does, and this way the two run on different threads.
 */
export async function* recordTarSplit(source: AsyncIterable<Buffer>, path: string): AsyncGenerator<Buffer> {
  using split = new TarSplitFile(path);
  const reader = new TarReader(split.sink, { rawBytes: true });
  for await (const chunk of source) {
    // Handed on first, so that the other thread has something to do meanwhile.
    yield chunk;
    reader.write(chunk);
  }
  reader.end();
  split.finish();
}
