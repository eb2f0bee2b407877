/**
 * The thread that unpacks layers, one after the other: it is told of one by a message, reads the tar from a ring of shared
 * memory and makes the files, from end to end with synchronous calls, then reports once. The bundle has this file as an
 * entry of its own.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type ErrorMessage, errorToMessage } from './unpack-errors.ts';
import { RingConsumer, type RingMemory } from './unpack-ring.ts';
import type { UnpackerOptions, UnpackResult } from './unpack-sink.ts';
import { unpackOnThisThread } from './unpack-stream.ts';

/** A layer to unpack. */
export interface UnpackJob {
  readonly target: string;
  readonly options: UnpackerOptions;
}

/** What the worker says when it is done with a layer, one way or another. */
export type UnpackReport =
  | { readonly ok: true; readonly result: UnpackResult }
  | { readonly ok: false; readonly error: ErrorMessage };

/** Thrown when the stream was aborted, to leave what is under way; the other side knows why. */
const ABORTED = new Error('the source of the layer was given up');

function unpack(ring: RingMemory, job: UnpackJob): UnpackReport {
  const consumer = new RingConsumer(ring);
  try {
    const result = unpackOnThisThread(job.target, job.options, (write) => {
      if (!consumer.drain(write)) throw ABORTED;
    });
    return { ok: true, result };
  } catch (error) {
    return { ok: false, error: errorToMessage(error) };
  } finally {
    consumer.leave();
  }
}

const ring: RingMemory = workerData;
parentPort?.on('message', (job: UnpackJob) => parentPort?.postMessage(unpack(ring, job)));
