import { removeFile } from '../linux/files.ts';
import type { RingProducer } from './unpack-ring.ts';
import type { UnpackerOptions, UnpackResult } from './unpack-sink.ts';
import { recordTarSplit, TarSplitFile } from './unpack-split.ts';
import { unpackOnThisThread } from './unpack-stream.ts';
import { beginUnpacking } from './unpack-thread.ts';

export type { UnpackerOptions, UnpackResult } from './unpack-sink.ts';

/** How a layer is unpacked. */
export interface UnpackOptions extends UnpackerOptions {
  /** Where Docker's tar-split of the archive is written, gzipped; made or replaced, and removed again after an error. */
  readonly tarSplit?: string;
}

/** Layers up to this size are unpacked here: a worker takes 40 to 100 ms to start, more than they take to unpack. Bytes. */
export const INLINE_BYTES = 4 * 1024 * 1024;

/**
 * Unpacks an uncompressed layer into the directory `target`, which exists. The source is read to its end, on this
 * thread; all work on files is done by a worker meanwhile, so that what the source does for its bytes (decompression, a
 * digest) and the tar-split overlap with it. At most 8 MiB wait between the two. A chunk only has to stay as
 * it is until the next one is asked for, so that a source may fill one buffer again and again.
 *
 * The archive is hostile and nothing outside `target` is touched: see `Unpacker` for what is refused and what differs
 * from Docker. Errors: the source's own, or the first one of the unpacking (`Corrupt`, `InvalidParameter`, `System`);
 * then the source is given back (`return`), no thread works on it any more, and `target` holds pieces that must be removed. Nothing
 * is synced.
 */
export async function unpackLayer(
  source: AsyncIterable<Buffer>,
  target: string,
  options: UnpackOptions,
): Promise<UnpackResult> {
  const { tarSplit, ...unpacker } = options;
  const iterator = source[Symbol.asyncIterator]();
  try {
    const head = await readHead(iterator);
    if (head.ended) return unpackHere(head.chunks, target, options);
    const rest = continued(head.chunks, iterator);
    const all = tarSplit === undefined ? rest : recordTarSplit(rest, tarSplit);
    return await unpackInWorker(all[Symbol.asyncIterator](), target, unpacker);
  } catch (error) {
    // The tar-split may be complete, when it was the last files that could not be made.
    if (tarSplit !== undefined) removeFile(tarSplit);
    await giveBack(iterator);
    throw error;
  }
}

/** Unpacks a small layer, which is read once for the files and for the tar-split. */
function unpackHere(chunks: readonly Buffer[], target: string, options: UnpackOptions): UnpackResult {
  const { tarSplit, ...unpacker } = options;
  using split = tarSplit === undefined ? undefined : new TarSplitFile(tarSplit);
  const result = unpackOnThisThread(
    target,
    unpacker,
    (write) => {
      for (const chunk of chunks) write(chunk);
    },
    split?.sink,
  );
  split?.finish();
  return result;
}

/** What was read already, then the rest. */
async function* continued(head: readonly Buffer[], iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* head;
  yield* { [Symbol.asyncIterator]: () => iterator };
}

async function readHead(iterator: AsyncIterator<Buffer>): Promise<{ chunks: Buffer[]; ended: boolean }> {
  const chunks: Buffer[] = [];
  for (let size = 0; size <= INLINE_BYTES; ) {
    const next = await iterator.next();
    if (next.done === true) return { chunks, ended: true };
    chunks.push(Buffer.from(next.value));
    size += next.value.length;
  }
  return { chunks, ended: false };
}

/** Ends a source before its end; what it says to that does not replace the error that made us do it. */
async function giveBack(iterator: AsyncIterator<Buffer>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // The first error is the one that counts.
  }
}

async function unpackInWorker(
  iterator: AsyncIterator<Buffer>,
  target: string,
  options: UnpackerOptions,
): Promise<UnpackResult> {
  const { producer, outcome } = beginUnpacking({ target, options });
  try {
    if (await pump(iterator, producer)) producer.close('complete');
    // The worker's error comes first; until it is known, what reads the archive here is left where it is.
    else await giveBack(iterator);
  } catch (error) {
    producer.close('aborted');
    // Ours is the first error, and the thread must be done before anyone removes what it wrote.
    await outcome.catch(() => undefined);
    throw error;
  }
  return outcome;
}

/** Feeds everything to the worker. Returns false when the worker stopped taking. */
async function pump(iterator: AsyncIterator<Buffer>, producer: RingProducer): Promise<boolean> {
  for (;;) {
    const next = await iterator.next();
    if (next.done === true) return true;
    if (!(await producer.write(next.value))) return false;
  }
}
