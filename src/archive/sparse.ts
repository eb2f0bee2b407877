/**
 * Sparse maps in the four forms GNU tar has written (GNU tar manual, "Storing Sparse Files"): the old format's in the
 * header block and extension blocks, pax 0.0 and 0.1 in records, pax 1.0 as text before the content. All end up as
 * a list of runs, checked: in order, not overlapping, inside the file, and adding up to what the archive stores.
 */
import type { Fail } from './fail.ts';
import { BLOCK, paddingOf, readNumber } from './header.ts';
import type { PaxSparse } from './pax.ts';
import { LIMITS, type SparseRun } from './types.ts';

/** Old format: where a block's map is, how many runs it holds, and where its "more follows" flag is. */
const OLD_MAIN = { start: 386, runs: 4, more: 482, realSize: 483 };
const OLD_EXTENSION = { start: 0, runs: 21, more: 504 };

/** Reads the runs of one block of the old format into the flat list `map`. Returns whether another block follows. */
export function readOldSparseBlock(block: Buffer, extension: boolean, map: number[], fail: Fail): boolean {
  const layout = extension ? OLD_EXTENSION : OLD_MAIN;
  for (let i = 0; i < layout.runs; i++) {
    const at = layout.start + i * 24;
    if (block[at] === 0) break;
    pushNumber(map, readNumber(block, at, 12), fail);
    pushNumber(map, readNumber(block, at + 12, 12), fail);
  }
  return block[layout.more] !== 0;
}

/** The size of the whole file in a header of the old format. */
export function oldSparseRealSize(block: Buffer, fail: Fail): number {
  const size = readNumber(block, OLD_MAIN.realSize, 12);
  return Number.isSafeInteger(size) && size >= 0 ? size : fail('the real size of the sparse file is wrong');
}

function pushNumber(map: number[], value: number, fail: Fail): void {
  if (!Number.isSafeInteger(value) || value < 0) fail('the sparse map has a wrong number');
  if (map.length >= 2 * LIMITS.sparseRuns) {
    fail(`the sparse map has more than ${LIMITS.sparseRuns} runs`, 'InvalidParameter');
  }
  map.push(value);
}

/** Which pax form the records announce. Unknown versions count as none, as in GNU tar and Go: the member is a plain file. */
export function paxSparseForm(sparse: PaxSparse): 'records' | 'text' | 'none' {
  if (sparse.major === '1' && sparse.minor === '0') return 'text';
  if (sparse.major !== undefined || sparse.minor !== undefined) {
    return sparse.major === '0' && (sparse.minor === '0' || sparse.minor === '1') ? 'records' : 'none';
  }
  return sparse.map === undefined ? 'none' : 'records';
}

/** The flat map of forms 0.0 and 0.1. */
export function paxSparseMap(sparse: PaxSparse, fail: Fail): number[] {
  const map = sparse.map ?? [];
  if (map.length !== 2 * (sparse.count ?? 0)) fail('the sparse map has not as many runs as it says');
  return map;
}

/** Form 1.0: decimal numbers, each ended by a newline: how many runs, then offset and length of each. Fed block by block. */
export class SparseTextMap {
  readonly map: number[] = [];
  #wanted = -1;
  #value = 0;
  #digits = 0;

  /** Reads one block. Returns whether the map is complete; what is left of its last block is padding. */
  block(block: Buffer, fail: Fail): boolean {
    for (const byte of block) {
      if (byte === 0x0a) {
        if (this.#digits === 0) fail('the sparse map has a wrong number');
        if (this.#take(fail)) return true;
      } else {
        if (byte < 0x30 || byte > 0x39 || this.#digits >= 16) fail('the sparse map has a wrong number');
        this.#value = this.#value * 10 + byte - 0x30;
        this.#digits++;
      }
    }
    return false;
  }

  #take(fail: Fail): boolean {
    if (this.#wanted >= 0) {
      pushNumber(this.map, this.#value, fail);
    } else {
      this.#wanted = 2 * this.#value;
      if (this.#value > LIMITS.sparseRuns) {
        fail(`the sparse map has more than ${LIMITS.sparseRuns} runs`, 'InvalidParameter');
      }
    }
    this.#value = 0;
    this.#digits = 0;
    return this.map.length === this.#wanted;
  }
}

/**
 * The runs of a flat map that tells the truth about a file of `size` bytes of which the archive stores `stored`.
 * Runs of no bytes (GNU tar ends its maps with one) are left out.
 */
export function sparseRuns(map: readonly number[], size: number, stored: number, fail: Fail): SparseRun[] {
  const runs: SparseRun[] = [];
  let end = 0;
  let sum = 0;
  for (let i = 0; i + 1 < map.length; i += 2) {
    const offset = map[i] ?? 0;
    const length = map[i + 1] ?? 0;
    if (offset < end) fail('the sparse map overlaps itself');
    end = offset + length;
    if (end > size) fail('the sparse map reaches past the end of the file');
    sum += length;
    if (length > 0) runs.push({ offset, length });
  }
  if (sum !== stored) fail(`the sparse map has ${sum} bytes of content and the archive ${stored}`);
  return runs;
}

/**
 * The runs made fit for writing: each starts and ends at a multiple of 512 bytes (or at the end of the file), touching
 * ones are one. GNU tar starts every run in a new block of the archive, all other programs do not; with whole blocks
 * both read the same.
 */
export function wholeBlockRuns(runs: readonly SparseRun[], size: number): SparseRun[] {
  const whole: SparseRun[] = [];
  let last: { offset: number; length: number } | undefined;
  for (const run of runs) {
    const start = run.offset - (run.offset % BLOCK);
    const stop = run.offset + run.length;
    const end = Math.min(size, stop + paddingOf(stop));
    if (last !== undefined && start <= last.offset + last.length) {
      last.length = Math.max(last.length, end - last.offset);
    } else if (end > start) {
      last = { offset: start, length: end - start };
      whole.push(last);
    }
  }
  return whole;
}

/**
 * The text map of form 1.0 for `runs` of a file of `size` bytes, padded to whole blocks. Throws `TypeError` when they are not as
 * `wholeBlockRuns` makes them.
 */
export function encodeSparseMap(runs: readonly SparseRun[], size: number): Buffer {
  const lines: number[] = [];
  let end = 0;
  for (const run of runs) {
    if (end % BLOCK !== 0 || run.offset < end)
      throw new TypeError('sparse runs are not whole blocks in order');
    lines.push(run.offset, run.length);
    end = run.offset + run.length;
  }
  // GNU tar sets the file's length from its last run, so a hole at the end needs an empty run there.
  if (end < size) lines.push(size, 0);
  const text = Buffer.from(`${lines.length / 2}\n${lines.map((line) => `${line}\n`).join('')}`, 'latin1');
  return Buffer.concat([text, Buffer.alloc(paddingOf(text.length))]);
}

/** Bytes of a file that the archive stores. */
export function storedBytes(runs: readonly SparseRun[]): number {
  let sum = 0;
  for (const run of runs) sum += run.length;
  return sum;
}
