import { TarReader } from './reader.ts';
import { Unpacker, type UnpackerOptions, type UnpackResult } from './unpack-sink.ts';

/** One layer that is unpacked on this thread: bytes of a tar go in, files come out. */
export class LayerStream {
  readonly #unpacker: Unpacker;
  readonly #reader: TarReader;

  constructor(target: string, options: UnpackerOptions) {
    this.#unpacker = new Unpacker(target, options);
    this.#reader = new TarReader(this.#unpacker);
  }

  /** Takes the next bytes of the uncompressed tar. */
  write(chunk: Buffer): void {
    this.#reader.write(chunk);
  }

  /** The tar is complete. Gives what was unpacked. */
  finish(): UnpackResult {
    this.#reader.end();
    return this.#unpacker.finish();
  }

  /** Closes everything. Must be called, once, whether `finish` was reached or not. */
  close(): void {
    this.#unpacker.close();
  }
}
