import { TarReader } from './reader.ts';
import type { TarEntry, TarSink } from './types.ts';
import { Unpacker, type UnpackerOptions, type UnpackResult } from './unpack-sink.ts';

/**
 * Unpacks one layer on this thread. `feed` hands all of the uncompressed tar to `write`, or throws. Whatever happens,
 * everything that was opened is closed again, and the error that comes out is the first one. `record` is told of the
 * archive as well, before the files are made.
 */
export function unpackOnThisThread(
  target: string,
  options: UnpackerOptions,
  feed: (write: (chunk: Buffer) => void) => void,
  record?: TarSink,
): UnpackResult {
  const unpacker = new Unpacker(target, options);
  let result: UnpackResult;
  try {
    const reader =
      record === undefined
        ? new TarReader(unpacker)
        : new TarReader(new BothSinks(record, unpacker), { rawBytes: true });
    feed((chunk) => reader.write(chunk));
    reader.end();
    result = unpacker.finish();
  } catch (error) {
    try {
      unpacker.close();
    } catch {
      // The first error says more.
    }
    throw error;
  }
  unpacker.close();
  return result;
}

/** Tells two sinks of one archive; the second gets no raw bytes. */
class BothSinks implements TarSink {
  readonly #first: TarSink;
  readonly #second: TarSink;

  constructor(first: TarSink, second: TarSink) {
    this.#first = first;
    this.#second = second;
  }

  entry(entry: TarEntry): void {
    this.#first.entry(entry);
    this.#second.entry(entry);
  }

  data(chunk: Buffer): void {
    this.#first.data(chunk);
    this.#second.data(chunk);
  }

  endEntry(): void {
    this.#first.endEntry();
    this.#second.endEntry();
  }

  raw(bytes: Buffer): void {
    this.#first.raw?.(bytes);
  }

  globalHeader(name: Buffer): void {
    this.#first.globalHeader?.(name);
    this.#second.globalHeader?.(name);
  }

  endOfArchive(): void {
    this.#first.endOfArchive?.();
    this.#second.endOfArchive?.();
  }
}
