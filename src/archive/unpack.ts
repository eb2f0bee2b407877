import { removeFile } from '../linux/files.ts';
import type { RingProducer } from './unpack-ring.ts';
import type { UnpackerOptions, UnpackResult } from './unpack-sink.ts';
import { recordTarSplit } from './unpack-split.ts';
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
  if (tarSplit === undefined) return unpackStream(source, target, unpacker);
  try {
    return await unpackStream(recordTarSplit(source, tarSplit), target, unpacker);
  } catch (error) {
    // It may be complete, when it was the last files that could not be made.
    removeFile(tarSplit);
    throw error;
  }
}

async function unpackStream(
  source: AsyncIterable<Buffer>,
  target: string,
  options: UnpackerOptions,
): Promise<UnpackResult> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const head = await readHead(iterator);
    if (!head.ended) return await unpackInWorker(head.chunks, iterator, target, options);
    return unpackOnThisThread(target, options, (write) => {
      for (const chunk of head.chunks) write(chunk);
    });
  } catch (error) {
    await giveBack(iterator);
    throw error;
  }
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
  head: readonly Buffer[],
  iterator: AsyncIterator<Buffer>,
  target: string,
  options: UnpackerOptions,
): Promise<UnpackResult> {
  const { producer, outcome } = beginUnpacking({ target, options });
  try {
    if (await pump(head, iterator, producer)) producer.close('complete');
  } catch (error) {
    producer.close('aborted');
    // Ours is the first error, and the thread must be done before anyone removes what it wrote.
    await outcome.catch(() => undefined);
    throw error;
  }
  return outcome;
}

/** Feeds everything to the worker. Returns false when the worker stopped taking. */
async function pump(
  head: readonly Buffer[],
  iterator: AsyncIterator<Buffer>,
  producer: RingProducer,
): Promise<boolean> {
  for (const chunk of head) if (!(await producer.write(chunk))) return false;
  for (;;) {
    const next = await iterator.next();
    if (next.done === true) return true;
    if (!(await producer.write(next.value))) return false;
  }
}
