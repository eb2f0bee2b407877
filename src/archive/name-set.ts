import { posix } from 'node:path';

/** Slots the table starts with; a power of two. */
const FIRST_SLOTS = 1024;

/**
 * Remembers which paths an archive had, in 16 bytes a path or less whatever their length. Paths are kept as 62 bits of
 * a hash: among a million, two different ones are taken for the same once in ten million archives.
 */
export class NameSet {
  #slots = FIRST_SLOTS;
  /** Two words a slot. The first is never 0 when taken; the lowest bit of the second is the path's mark. */
  #table = new Uint32Array(2 * FIRST_SLOTS);
  #count = 0;

  /**
   * Adds a path, cleaned as Go's `filepath.Clean` does, with a mark. Returns the mark that it had, or `undefined` when
   * it is new; a mark once given stays.
   */
  add(name: Buffer, mark: boolean): boolean | undefined {
    if (this.#count * 3 > this.#slots * 2) this.#grow();
    const [first, second] = hash(cleanPath(name));
    const slot = this.#find(first, second);
    if (this.#table[slot] !== 0) return ((this.#table[slot + 1] ?? 0) & 1) === 1;
    this.#table[slot] = first;
    this.#table[slot + 1] = mark ? second + 1 : second;
    this.#count++;
    return undefined;
  }

  /** The index of the slot that holds the hash, or of the free one where it belongs. */
  #find(first: number, second: number): number {
    const table = this.#table;
    const mask = this.#slots - 1;
    for (let at = second >>> 1; ; at++) {
      const slot = 2 * (at & mask);
      if (table[slot] === 0) return slot;
      if (table[slot] === first && ((table[slot + 1] ?? 0) & ~1) >>> 0 === second) return slot;
    }
  }

  #grow(): void {
    const old = this.#table;
    this.#slots *= 2;
    this.#table = new Uint32Array(2 * this.#slots);
    for (let i = 0; i < old.length; i += 2) {
      const first = old[i] ?? 0;
      const second = old[i + 1] ?? 0;
      if (first === 0) continue;
      const slot = this.#find(first, (second & ~1) >>> 0);
      this.#table[slot] = first;
      this.#table[slot + 1] = second;
    }
  }
}

function cleanPath(name: Buffer): string {
  const clean = posix.normalize(name.toString('latin1'));
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}

/** Two multiplicative hashes that cross over at the end; the first is odd, the second even. */
function hash(text: string): [number, number] {
  let a = 0x243f6a88;
  let b = 0x85a308d3;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x9e3779b1);
    b = Math.imul(b ^ code, 0x5f356495);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return [(a | 1) >>> 0, (b & ~1) >>> 0];
}
