import { closeFile, openFile, removeFile, writeAll } from '../linux/files.ts';
import { TarReader } from './reader.ts';
import { TarSplitWriter } from './tar-split.ts';
import { teeSinks } from './tee-sink.ts';
import { Unpacker, type UnpackerOptions, type UnpackResult } from './unpack-sink.ts';

/** How a layer's stream is unpacked. */
export interface LayerStreamOptions extends UnpackerOptions {
  /** Where Docker's tar-split of the archive is written, gzipped; made or replaced, and removed again after an error. */
  readonly tarSplit?: string;
}

/** One layer that is unpacked on this thread: bytes of a tar go in, files come out. */
export class LayerStream {
  readonly #unpacker: Unpacker;
  readonly #reader: TarReader;
  readonly #splitPath: string | undefined;
  readonly #split: TarSplitWriter | undefined;
  #splitFile: number | undefined;
  #complete = false;

  constructor(target: string, options: LayerStreamOptions) {
    this.#unpacker = new Unpacker(target, options);
    this.#splitPath = options.tarSplit;
    if (options.tarSplit === undefined) {
      this.#reader = new TarReader(this.#unpacker);
      return;
    }
    try {
      const file = openFile(options.tarSplit, 'w', 0o644);
      this.#splitFile = file;
      this.#split = new TarSplitWriter((gzip) => writeAll(file, gzip));
      this.#reader = new TarReader(teeSinks(this.#unpacker, this.#split), { rawBytes: true });
    } catch (error) {
      this.#unpacker.close();
      throw error;
    }
  }

  /** Takes the next bytes of the uncompressed tar. */
  write(chunk: Buffer): void {
    this.#reader.write(chunk);
  }

  /** The tar is complete. Gives what was unpacked. */
  finish(): UnpackResult {
    this.#reader.end();
    const result = this.#unpacker.finish();
    this.#split?.finish();
    this.#complete = true;
    return result;
  }

  /** Closes everything. Must be called, once, whether `finish` was reached or not. */
  close(): void {
    try {
      this.#unpacker.close();
    } finally {
      if (this.#splitFile !== undefined) closeFile(this.#splitFile);
      if (!this.#complete && this.#splitPath !== undefined) removeFile(this.#splitPath);
    }
  }
}
