/**
 * Finds where zstd frames end (RFC 8878, section 3.1), without decompressing. Layers in zstd are often many frames
 * (pzstd, zstd:chunked with its skippable frames), and Node's decompressor drops what follows a frame's end within
 * one write: so each write must stop there.
 */

const MAGIC = 0;
const SKIP_SIZE = 1;
const DESCRIPTOR = 2;
const HEADER_REST = 3;
const BLOCK_HEADER = 4;
const CONTENT = 5;

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

/** Cuts a zstd stream at frame ends. */
export class ZstdFrames {
  /** What the next byte that is looked at belongs to. */
  #state = MAGIC;
  /** A little-endian number being collected. */
  #value = 0;
  #bytes = 0;
  /** Bytes to pass over before the next state. */
  #left = 0;
  #checksum = 0;
  /** Whether the content being passed over is the frame's last. */
  #last = false;

  /** Whether the stream may end here. */
  get atBoundary(): boolean {
    return this.#state === MAGIC && this.#bytes === 0;
  }

  /** The chunk in pieces of which none reaches past a frame's end. Throws `Error` when what follows a frame is no frame. */
  *split(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.length - at);
        this.#left -= step;
        at += step;
      } else {
        this.#byte(chunk[at] ?? 0);
        at++;
      }
      if (this.#left === 0 && this.#contentDone()) {
        yield chunk.subarray(start, at);
        start = at;
      }
    }
    if (start < at) yield chunk.subarray(start, at);
  }

  /** Whether all that had to be passed over was, and it ended a frame. */
  #contentDone(): boolean {
    if (this.#state === HEADER_REST) this.#enter(BLOCK_HEADER);
    if (this.#state !== CONTENT) return false;
    this.#enter(this.#last ? MAGIC : BLOCK_HEADER);
    return this.#last;
  }

  #enter(state: number): void {
    this.#state = state;
    this.#value = 0;
    this.#bytes = 0;
  }

  #byte(byte: number): void {
    if (this.#state === DESCRIPTOR) {
      this.#descriptor(byte);
      return;
    }
    this.#value += byte * 2 ** (8 * this.#bytes);
    this.#bytes++;
    if (this.#bytes === (this.#state === BLOCK_HEADER ? 3 : 4)) this.#number(this.#value);
  }

  #number(value: number): void {
    if (this.#state === MAGIC) {
      if (value === FRAME_MAGIC) this.#enter(DESCRIPTOR);
      else if (value >= SKIPPABLE_MAGIC && value < SKIPPABLE_MAGIC + 16) this.#enter(SKIP_SIZE);
      else throw new Error('unknown frame descriptor');
    } else if (this.#state === SKIP_SIZE) {
      this.#last = true;
      this.#left = value;
      this.#enter(CONTENT);
    } else {
      // Bit 0: last block; bits 1 and 2: type, of which 1 (run-length) stores a single byte; the rest: size.
      this.#last = (value & 1) === 1;
      this.#left = (((value >>> 1) & 3) === 1 ? 1 : value >>> 3) + (this.#last ? this.#checksum : 0);
      this.#enter(CONTENT);
    }
  }

  #descriptor(byte: number): void {
    const single = (byte & 0x20) !== 0;
    const contentSize = [single ? 1 : 0, 2, 4, 8][byte >>> 6] ?? 0;
    const dictionary = [0, 1, 2, 4][byte & 3] ?? 0;
    this.#checksum = (byte & 4) !== 0 ? 4 : 0;
    this.#left = (single ? 0 : 1) + contentSize + dictionary;
    this.#enter(HEADER_REST);
  }
}
