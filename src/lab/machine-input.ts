/** Standard input on its way into a machine: no more of it at once than the agent has room for, so that what else we tell it arrives. */
import type { Writable } from 'node:stream';
import { encodeFrame } from './frames.ts';
import { INPUT_WINDOW } from './guest-agent.ts';

/** Input is sent in frames of at most this many bytes. */
const PIECE = 32 * 1024;

/** Sends one command's input. */
export class MachineInput {
  readonly #agent: Writable;
  readonly #source: AsyncIterator<Buffer> | undefined;
  /** Bytes that were sent and that the command has not taken. */
  #unread = 0;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(agent: Writable, source: AsyncIterable<Buffer> | undefined) {
    this.#agent = agent;
    this.#source = source?.[Symbol.asyncIterator]();
  }

  /** Sends all of it and its end; waits while the command does not read, until `close`. Fails when the source does. */
  async send(): Promise<void> {
    while (!this.#isClosed) {
      const next = await this.#source?.next();
      if (next === undefined || next.done === true) break;
      for (let at = 0; at < next.value.length && !this.#isClosed; at += PIECE)
        await this.#sendPiece(next.value.subarray(at, at + PIECE));
    }
    if (!this.#isClosed) this.#agent.write(encodeFrame('C'));
  }

  async #sendPiece(piece: Buffer): Promise<void> {
    while (this.#unread + piece.length > INPUT_WINDOW && !this.#isClosed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#isClosed) return;
    this.#unread += piece.length;
    this.#agent.write(encodeFrame('I', piece));
  }

  /** The command has taken so many bytes. Tells whether as many were on their way. */
  acknowledge(bytes: number): boolean {
    if (!(bytes <= this.#unread)) return false;
    this.#unread -= bytes;
    this.#wake?.();
    return true;
  }

  /** Nothing more is sent, and the source is told so. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wake?.();
    // One that is being read hears of it later, or never; nobody waits for that.
    void this.#source?.return?.().catch(() => undefined);
  }
}
