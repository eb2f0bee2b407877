/**
 * CRC-64/ISO (ISO 3309), as Go's `hash/crc64` computes it with `crc64.ISO`: reflected, started and finished with all
 * ones. tar-split records it of every file's content.
 *
 * The polynomial is x⁶⁴ + x⁴ + x³ + x + 1, so 64 bits times x⁶⁴ are the same bits times x⁴ + x³ + x + 1: three shifts
 * and xors take in eight bytes, where a table takes one. In reflected order a multiplication by x is a shift to the
 * right; the (at most four) bits that fall out at the right are multiplied once more and come in at the left.
 */

/** Contents at least this long are read as words; making a view of shorter ones costs more than it saves. */
const WORDS_FROM = 64;
/** Unaligned content is copied here piece by piece. */
const SCRATCH_BYTES = 65_536;
let scratch: Int32Array | undefined;

/** A running sum. */
export class Crc64 {
  #low = -1;
  #high = -1;

  /** Forgets what it saw. */
  reset(): void {
    this.#low = -1;
    this.#high = -1;
  }

  /** Takes the next bytes, any number of them. */
  update(bytes: Uint8Array): void {
    if (bytes.length < WORDS_FROM) {
      this.#bytes(bytes, 0);
      return;
    }
    const whole = bytes.length - (bytes.length % 8);
    if (bytes.byteOffset % 4 === 0) {
      this.#words(new Int32Array(bytes.buffer, bytes.byteOffset, whole / 4), whole / 4);
    } else {
      scratch ??= new Int32Array(SCRATCH_BYTES / 4);
      const copy = new Uint8Array(scratch.buffer);
      for (let at = 0; at < whole; at += SCRATCH_BYTES) {
        const length = Math.min(SCRATCH_BYTES, whole - at);
        copy.set(bytes.subarray(at, at + length));
        this.#words(scratch, length / 4);
      }
    }
    this.#bytes(bytes, whole);
  }

  /** The sum so far as eight bytes, most significant first, as Go's `Sum` gives it. */
  digest(): Buffer {
    const sum = Buffer.allocUnsafe(8);
    sum.writeInt32BE(~this.#high, 0);
    sum.writeInt32BE(~this.#low, 4);
    return sum;
  }

  /** Little-endian words, which is what every machine we run on has. */
  #words(words: Int32Array, count: number): void {
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < count; i += 2) {
      low ^= words[i] ?? 0;
      high ^= words[i + 1] ?? 0;
      const out = (low << 31) ^ (low << 29) ^ (low << 28);
      const next =
        low ^ ((low >>> 1) | (high << 31)) ^ ((low >>> 3) | (high << 29)) ^ ((low >>> 4) | (high << 28));
      high ^= (high >>> 1) ^ (high >>> 3) ^ (high >>> 4) ^ out ^ (out >>> 1) ^ (out >>> 3) ^ (out >>> 4);
      low = next;
    }
    this.#low = low;
    this.#high = high;
  }

  #bytes(bytes: Uint8Array, from: number): void {
    let low = this.#low;
    let high = this.#high;
    for (let i = from; i < bytes.length; i++) {
      const out = (low ^ (bytes[i] ?? 0)) << 24;
      low = (low >>> 8) | (high << 24);
      high = (high >>> 8) ^ out ^ (out >>> 1) ^ (out >>> 3) ^ (out >>> 4);
    }
    this.#low = low;
    this.#high = high;
  }
}

/** The sum of one piece of content. */
export function crc64(bytes: Uint8Array): Buffer {
  const crc = new Crc64();
  crc.update(bytes);
  return crc.digest();
}
