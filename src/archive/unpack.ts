import { Worker } from 'node:worker_threads';
import { TsengineError } from '../errors.ts';
import { removeFile } from '../linux/files.ts';
import { workerUrl } from '../linux/worker-url.ts';
import { errorFromMessage } from './unpack-errors.ts';
import { createRing, RingProducer } from './unpack-ring.ts';
import type { UnpackerOptions, UnpackResult } from './unpack-sink.ts';
import { recordTarSplit } from './unpack-split.ts';
import { unpackOnThisThread } from './unpack-stream.ts';
import type { UnpackJob, UnpackReport } from './unpack-worker.ts';

export type { UnpackerOptions, UnpackResult } from './unpack-sink.ts';

/** How a layer is unpacked. */
export interface UnpackOptions extends UnpackerOptions {
  /** Where Docker's tar-split of the archive is written, gzipped; made or replaced, and removed again after an error. */
  readonly tarSplit?: string;
}

/** Layers up to this size are unpacked here: a worker takes 40 to 60 ms to start, more than they take to unpack. */
const INLINE_BYTES = 4 * 1024 * 1024;

/**
 * Unpacks an uncompressed layer into the directory `target`, which exists. The source is read to its end, on this
 * thread; all work on files is done by a worker meanwhile, so that what the source does for its bytes (decompression, a
 * digest) and the tar-split overlap with it. At most 4 MiB wait between the two. A chunk only has to stay as
 * it is until the next one is asked for, so that a source may fill one buffer again and again.
 *
 * The archive is hostile and nothing outside `target` is touched: see `Unpacker` for what is refused and what differs
 * from Docker. Errors: the source's own, or the first one of the unpacking (`Corrupt`, `InvalidParameter`, `System`);
 * then the source is given back (`return`), no thread is left, and `target` holds pieces that must be removed. Nothing
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
  const ring = createRing();
  const producer = new RingProducer(ring);
  const outcome = startWorker({ ring, target, options }, producer);
  try {
    if (await pump(head, iterator, producer)) producer.close('complete');
  } catch (error) {
    producer.close('aborted');
    // Ours is the first error, and the thread must have ended before anyone removes what it wrote.
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

/** Starts the worker. Settles when its thread has ended: with its result, its error, or an error for a sudden end. */
function startWorker(job: UnpackJob, producer: RingProducer): Promise<UnpackResult> {
  const outcome = new Promise<UnpackResult>((resolve, reject) => {
    const worker = new Worker(workerUrl('archive/unpack-worker'), {
      workerData: job,
      execArgv: [],
      // The thread closes what it opens, through the C library, which Node cannot see.
      trackUnmanagedFds: false,
    });
    let report: UnpackReport | undefined;
    let failure: unknown;
    worker.on('message', (message: UnpackReport) => {
      report = message;
    });
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', (code) => {
      producer.consumerGone();
      if (report?.ok === true) resolve(report.result);
      else if (report !== undefined) reject(errorFromMessage(report.error));
      else
        reject(
          failure ?? new TsengineError('System', `unpacking ended with code ${code} before it was done`),
        );
    });
  });
  // Its errors are looked at when the source is done; until then they are not unhandled.
  outcome.catch(() => undefined);
  return outcome;
}
