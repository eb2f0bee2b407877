/**
 * The thread that unpacks one layer: it reads the tar from a ring of shared memory and makes the files, from end to
 * end with synchronous calls, then reports once and ends. The bundle has this file as an entry of its own.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type ErrorMessage, errorToMessage } from './unpack-errors.ts';
import { RingConsumer, type RingMemory } from './unpack-ring.ts';
import type { UnpackerOptions, UnpackResult } from './unpack-sink.ts';
import { unpackOnThisThread } from './unpack-stream.ts';

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

/** Thrown when the stream was aborted, to leave what is under way; the other side knows why. */
const ABORTED = new Error('aborted');

function report(job: UnpackJob): UnpackReport | undefined {
  const consumer = new RingConsumer(job.ring);
  try {
    const result = unpackOnThisThread(job.target, job.options, (write) => {
      if (!consumer.drain(write)) throw ABORTED;
    });
    return { ok: true, result };
  } catch (error) {
    return error === ABORTED ? undefined : { ok: false, error: errorToMessage(error) };
  } finally {
    consumer.leave();
  }
}

const job: UnpackJob = workerData;
const said = report(job);
if (said !== undefined) parentPort?.postMessage(said);
