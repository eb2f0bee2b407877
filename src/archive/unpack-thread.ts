/**
 * The threads that unpack layers. One takes 40 to 100 ms to start, so a thread that is done waits for the next layer, as
 * long as the process lives; it does not keep the process alive. A second one is only started while the first is at work.
 */
import { Worker } from 'node:worker_threads';
import { TsengineError } from '../errors.ts';
import { workerUrl } from '../linux/worker-url.ts';
import { errorFromMessage } from './unpack-errors.ts';
import { createRing, type RingMemory, RingProducer } from './unpack-ring.ts';
import type { UnpackResult } from './unpack-sink.ts';
import type { UnpackJob, UnpackReport } from './unpack-worker.ts';

/** A layer that is being unpacked: its tar goes in by `producer`, `outcome` settles when the thread is done with it. */
export interface Unpacking {
  readonly producer: RingProducer;
  readonly outcome: Promise<UnpackResult>;
}

/** What of a layer's unpacking its end needs. */
interface Running {
  readonly producer: RingProducer;
  readonly resolve: (result: UnpackResult) => void;
  readonly reject: (error: Error) => void;
}

const idle: UnpackThread[] = [];

class UnpackThread {
  readonly #ring: RingMemory = createRing();
  readonly #worker: Worker;
  #running: Running | undefined;
  #failure: Error | undefined;

  constructor() {
    this.#worker = new Worker(workerUrl('archive/unpack-worker'), {
      workerData: this.#ring,
      execArgv: [],
      // The thread closes what it opens, through the C library, which Node cannot see.
      trackUnmanagedFds: false,
    });
    this.#worker.on('message', (report: UnpackReport) => this.#done(report));
    this.#worker.on('error', (error) => {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    });
    this.#worker.on('exit', (code) => this.#gone(code));
    this.#worker.unref();
  }

  begin(job: UnpackJob): Unpacking {
    const producer = new RingProducer(this.#ring);
    const outcome = new Promise<UnpackResult>((resolve, reject) => {
      this.#running = { producer, resolve, reject };
    });
    // Its errors are looked at when the source is done; until then they are not unhandled.
    outcome.catch(() => undefined);
    this.#worker.ref();
    this.#worker.postMessage(job);
    return { producer, outcome };
  }

  #done(report: UnpackReport): void {
    const running = this.#running;
    this.#running = undefined;
    this.#worker.unref();
    idle.push(this);
    if (report.ok) running?.resolve(report.result);
    else running?.reject(errorFromMessage(report.error));
  }

  #gone(code: number): void {
    const at = idle.indexOf(this);
    if (at >= 0) idle.splice(at, 1);
    this.#running?.producer.consumerGone();
    this.#running?.reject(
      this.#failure ?? new TsengineError('System', `unpacking ended with code ${code} before it was done`),
    );
    this.#running = undefined;
  }
}

/** Has a thread do a layer. */
export function beginUnpacking(job: UnpackJob): Unpacking {
  return (idle.pop() ?? new UnpackThread()).begin(job);
}

/** Starts a thread for a layer that is about to come. */
export function prepareUnpacking(): void {
  if (idle.length === 0) idle.push(new UnpackThread());
}
