/**
 * A pipe from the main thread to a worker through shared memory. The main thread copies chunks in and waits without
 * blocking while the ring is full; the worker sleeps in `Atomics.wait` while it is empty, so that it can run
 * synchronously from end to end. Copying costs less than handing buffers over would: a message takes two threads
 * through their event loops, and the sender could not hash or reuse what it handed over.
 */

/** Bytes in flight at most: some hundred small files, which take long to make, or one large one, which takes long to hash. */
const RING_BYTES = 8 * 1024 * 1024;
/** The worker takes what is there once it is at least this much, so that the kernel gets large writes. */
const WAKE_AT = 256 * 1024;
/** The most that the worker takes in one piece before it makes the room free again. */
const PIECE = 1024 * 1024;

// Cells of the control array.
/** Bytes that are in the ring. */
const USED = 0;
/** Counts what the producer did, to wait on. */
const FILLED = 1;
/** Counts what the consumer did, to wait on. */
const DRAINED = 2;
/** How the producer ended. */
const CLOSED = 3;
/** Whether the consumer is gone. */
const GONE = 4;
const CELLS = 5;

const OPEN = 0;
const COMPLETE = 1;
const ABORTED = 2;

/** The shared memory of a ring. */
export interface RingMemory {
  readonly control: SharedArrayBuffer;
  readonly bytes: SharedArrayBuffer;
}

/** Makes the memory of a ring. */
export function createRing(): RingMemory {
  return {
    control: new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT),
    bytes: new SharedArrayBuffer(RING_BYTES),
  };
}

function signal(control: Int32Array, cell: number): void {
  Atomics.add(control, cell, 1);
  Atomics.notify(control, cell);
}

/** The end of a ring that is written. */
export class RingProducer {
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  #at = 0;

  /** Begins a stream. The consumer of the one before is done with it. */
  constructor(memory: RingMemory) {
    this.#control = new Int32Array(memory.control);
    this.#bytes = new Uint8Array(memory.bytes);
    for (const cell of [USED, CLOSED, GONE]) Atomics.store(this.#control, cell, 0);
  }

  /** Puts a chunk in, waiting for room. Returns false when the consumer is gone. */
  async write(chunk: Buffer): Promise<boolean> {
    for (let done = 0; done < chunk.length; ) {
      const seen = Atomics.load(this.#control, DRAINED);
      if (Atomics.load(this.#control, GONE) !== 0) return false;
      const room = RING_BYTES - Atomics.load(this.#control, USED);
      if (room === 0) {
        await Atomics.waitAsync(this.#control, DRAINED, seen).value;
        continue;
      }
      const take = Math.min(room, chunk.length - done, RING_BYTES - this.#at);
      this.#bytes.set(chunk.subarray(done, done + take), this.#at);
      this.#at = (this.#at + take) % RING_BYTES;
      done += take;
      const before = Atomics.add(this.#control, USED, take);
      if (before + take >= WAKE_AT) signal(this.#control, FILLED);
    }
    return Atomics.load(this.#control, GONE) === 0;
  }

  /** Says that all is written, or that what is written must be forgotten. Only the first time counts. */
  close(how: 'complete' | 'aborted'): void {
    Atomics.compareExchange(this.#control, CLOSED, OPEN, how === 'complete' ? COMPLETE : ABORTED);
    signal(this.#control, FILLED);
  }

  /** Says, for a consumer that ended by accident, that it is gone; wakes a `write` that waits. */
  consumerGone(): void {
    Atomics.store(this.#control, GONE, 1);
    signal(this.#control, DRAINED);
  }
}

/** The end of a ring that is read, on a thread that may sleep. */
export class RingConsumer {
  readonly #control: Int32Array;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(memory: RingMemory) {
    this.#control = new Int32Array(memory.control);
    this.#bytes = Buffer.from(memory.bytes);
  }

  /**
   * Hands everything that is written to `take`, piece by piece, until the producer closes. A piece is only valid
   * during the call. Returns whether the stream is complete; false when it was aborted.
   */
  drain(take: (piece: Buffer) => void): boolean {
    for (;;) {
      const seen = Atomics.load(this.#control, FILLED);
      const closed = Atomics.load(this.#control, CLOSED);
      if (closed === ABORTED) return false;
      const used = Atomics.load(this.#control, USED);
      if (closed === COMPLETE && used === 0) return true;
      if (used < WAKE_AT && closed === OPEN) {
        Atomics.wait(this.#control, FILLED, seen);
        continue;
      }
      const length = Math.min(used, PIECE, RING_BYTES - this.#at);
      take(this.#bytes.subarray(this.#at, this.#at + length));
      this.#at = (this.#at + length) % RING_BYTES;
      Atomics.sub(this.#control, USED, length);
      signal(this.#control, DRAINED);
    }
  }

  /** Says that nothing more will be read. */
  leave(): void {
    Atomics.store(this.#control, GONE, 1);
    signal(this.#control, DRAINED);
  }
}
