/**
 * The thread that unpacks one layer: it reads the tar from a ring of shared memory and makes the files, from end to
 * end with synchronous calls, then reports once and ends. The bundle has this file as an entry of its own.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type ErrorMessage, errorToMessage } from './unpack-errors.ts';
import { RingConsumer, type RingMemory } from './unpack-ring.ts';
import type { UnpackerOptions, UnpackResult } from './unpack-sink.ts';
import { LayerStream } from './unpack-stream.ts';

/** What the worker is started with. */
export interface UnpackJob {
  readonly ring: RingMemory;
  readonly target: string;
  readonly options: UnpackerOptions;
}

/** What the worker says before it ends; nothing after an aborted stream. */
export type UnpackReport =
  | { readonly ok: true; readonly result: UnpackResult }
  | { readonly ok: false; readonly error: ErrorMessage };

function unpack(job: UnpackJob, consumer: RingConsumer): UnpackResult | undefined {
  const stream = new LayerStream(job.target, job.options);
  try {
    return consumer.drain((piece) => stream.write(piece)) ? stream.finish() : undefined;
  } finally {
    stream.close();
  }
}

function report(job: UnpackJob): UnpackReport | undefined {
  const consumer = new RingConsumer(job.ring);
  try {
    const result = unpack(job, consumer);
    return result === undefined ? undefined : { ok: true, result };
  } catch (error) {
    return { ok: false, error: errorToMessage(error) };
  } finally {
    consumer.leave();
  }
}

const job: UnpackJob = workerData;
const said = report(job);
if (said !== undefined) parentPort?.postMessage(said);
