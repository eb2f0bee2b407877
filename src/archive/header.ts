/**
 * One 512-byte tar header block. Layouts: POSIX.1-2024 pax "ustar Interchange Format"; GNU tar manual, "Basic Tar
 * Format"; the star manual page for the `tar\0` trailer.
 *
 * | bytes   | v7 and all       | ustar           | GNU (`ustar  `)            | star              |
 * |---------|------------------|-----------------|----------------------------|-------------------|
 * | 0…156   | name mode uid gid size mtime checksum type | same | same              | same              |
 * | 157…256 | linkname         | same            | same                       | same              |
 * | 257…344 |                  | magic uname gname devmajor devminor | same   | same              |
 * | 345…499 |                  | prefix[155]     | atime ctime … sparse[4] isextended realsize | prefix[131] atime ctime |
 */
import type { Fail } from './fail.ts';
import type { Timespec } from './types.ts';

/** Bytes of a header block and the unit everything in an archive is padded to. */
export const BLOCK = 512;

/** No bytes, shared: most members have no link name. */
export const EMPTY: Buffer = Buffer.alloc(0);

const V7 = 0;
const USTAR = 1;
const GNU = 2;
const STAR = 3;

/** The fields of a header block, before pax records and GNU long names are laid over them. Buffers are copies. */
export interface Header {
  /** The type flag's byte. */
  readonly flag: number;
  readonly name: Buffer;
  readonly linkName: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly atime: number | undefined;
  readonly ctime: number | undefined;
  readonly uname: Buffer;
  readonly gname: Buffer;
  readonly devMajor: number;
  readonly devMinor: number;
  /** Whether the block is in GNU's old format, the only one in which `S` has a sparse map. */
  readonly gnu: boolean;
}

/** Whether `size` bytes at `start` are all zero. */
function isZero(block: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (block[i] !== 0) return false;
  return true;
}

/** Whether the block is one of the two zero blocks that end an archive. */
export function isZeroBlock(block: Buffer): boolean {
  return isZero(block, 0, BLOCK);
}

/**
 * Reads a number field. Octal digits may have spaces and NULs before them and end at a space, a NUL or the field's
 * end; a set high bit means base-256 in two's complement (GNU, star). `NaN`: not a number; ±`Infinity`: past what a
 * JavaScript number holds exactly (8 PiB as a size).
 */
export function readNumber(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  return (first & 0x80) !== 0
    ? readBinary(block, start, length, first)
    : readOctal(block, start, start + length);
}

function readBinary(block: Buffer, start: number, length: number, first: number): number {
  const negative = (first & 0x40) !== 0;
  // A negative number is the complement of its complement, less one: both are read as what they are without sign.
  const flip = negative ? 0xff : 0;
  let value = (first ^ flip) & 0x7f;
  for (let i = start + 1; i < start + length; i++) value = value * 256 + ((block[i] ?? 0) ^ flip);
  if (value > Number.MAX_SAFE_INTEGER - 1) return negative ? -Infinity : Infinity;
  return negative ? -1 - value : value;
}

function readOctal(block: Buffer, start: number, end: number): number {
  let i = start;
  while (i < end && (block[i] === 0x20 || block[i] === 0)) i++;
  let value = 0;
  for (; i < end; i++) {
    const digit = (block[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  if (i < end && block[i] !== 0x20 && block[i] !== 0) return Number.NaN;
  return value;
}

/** The bytes of a text field up to its NUL or end, copied; `share` is returned instead of an equal copy. */
function readText(block: Buffer, start: number, length: number, share: Buffer): Buffer {
  let end = start;
  while (end < start + length && block[end] !== 0) end++;
  if (end === start) return EMPTY;
  if (end - start === share.length && share.compare(block, start, end) === 0) return share;
  return Buffer.from(block.subarray(start, end));
}

/**
 * Whether the stored checksum is the sum of the block's bytes with the checksum's own eight taken as spaces. POSIX
 * sums unsigned bytes; some old programs summed signed ones, and both are taken.
 */
function checksumMatches(block: Buffer): boolean {
  const stored = readOctal(block, 148, 156);
  let sum = 8 * 0x20;
  for (let i = 0; i < 148; i++) sum += block[i] ?? 0;
  for (let i = 156; i < BLOCK; i++) sum += block[i] ?? 0;
  if (sum === stored) return true;
  for (let i = 0; i < BLOCK; i++) if ((i < 148 || i >= 156) && (block[i] ?? 0) >= 0x80) sum -= 256;
  return sum === stored;
}

function formatOf(block: Buffer): number {
  const magic = block.toString('latin1', 257, 265);
  if (magic === 'ustar  \0') return GNU;
  if (!magic.startsWith('ustar\0')) return V7;
  return block.toString('latin1', 508, 512) === 'tar\0' ? STAR : USTAR;
}

/** A number field that must hold one; `what` names it in the error. */
function number(block: Buffer, start: number, length: number, what: string, fail: Fail): number {
  const value = readNumber(block, start, length);
  if (Number.isSafeInteger(value)) return value;
  return fail(
    Number.isNaN(value) ? `the ${what} field is not a number` : `the ${what} field is absurdly large`,
  );
}

interface Extra {
  prefix: Buffer;
  atime: number | undefined;
  ctime: number | undefined;
}

function optionalTime(block: Buffer, start: number): number | undefined {
  return block[start] === 0 ? undefined : readNumber(block, start, 12);
}

/** Prefix and times, whose place depends on the format. */
function readExtra(block: Buffer, format: number): Extra {
  const none = { prefix: EMPTY, atime: undefined, ctime: undefined };
  if (block[345] === 0 && format !== GNU) return none;
  switch (format) {
    case USTAR:
      return { ...none, prefix: readText(block, 345, 155, EMPTY) };
    case STAR:
      return {
        prefix: readText(block, 345, 131, EMPTY),
        atime: optionalTime(block, 476),
        ctime: optionalTime(block, 488),
      };
    case GNU: {
      if (block[345] === 0 && block[357] === 0) return none;
      const times = { prefix: EMPTY, atime: optionalTime(block, 345), ctime: optionalTime(block, 357) };
      const sound = (time: number | undefined) => time === undefined || Number.isSafeInteger(time);
      if (sound(times.atime) && sound(times.ctime)) return times;
      // Go before 1.8 wrote a ustar prefix into GNU headers, and images of that time are still around.
      const prefix = readText(block, 345, 155, EMPTY);
      return prefix.every((byte) => byte < 0x80) ? { ...none, prefix } : none;
    }
    default:
      return none;
  }
}

/** Reads header blocks; keeps the last owner names, so that a million members of root share two buffers. */
export class HeaderReader {
  #uname = EMPTY;
  #gname = EMPTY;

  /**
   * The name field alone, for messages about a block that cannot be read any further. Empty where it has control characters:
   * then it is the contents of some file, which are nobody's business.
   */
  static nameOf(block: Buffer): Buffer {
    const name = readText(block, 0, 100, EMPTY);
    return name.every((byte) => byte >= 0x20 && byte !== 0x7f) ? name : EMPTY;
  }

  /** Reads a block that is not all zeros. Calls `fail` when its checksum or a number in it is wrong. */
  read(block: Buffer, fail: Fail): Header {
    if (!checksumMatches(block))
      fail('the header checksum does not match: not a tar archive, or damaged here');
    const flag = block[156] ?? 0;
    const format = formatOf(block);
    const extra = readExtra(block, format);
    const name = readText(block, 0, 100, EMPTY);
    if (format !== V7) {
      this.#uname = readText(block, 265, 32, this.#uname);
      this.#gname = readText(block, 297, 32, this.#gname);
    }
    const device = format !== V7 && (flag === 0x33 || flag === 0x34);
    return {
      flag,
      name: extra.prefix.length === 0 ? name : Buffer.concat([extra.prefix, Buffer.from('/'), name]),
      linkName: readText(block, 157, 100, EMPTY),
      mode: number(block, 100, 8, 'mode', fail),
      uid: number(block, 108, 8, 'uid', fail),
      gid: number(block, 116, 8, 'gid', fail),
      size: number(block, 124, 12, 'size', fail),
      mtime: number(block, 136, 12, 'mtime', fail),
      atime: extra.atime,
      ctime: extra.ctime,
      uname: format === V7 ? EMPTY : this.#uname,
      gname: format === V7 ? EMPTY : this.#gname,
      devMajor: device ? number(block, 329, 8, 'device major', fail) : 0,
      devMinor: device ? number(block, 337, 8, 'device minor', fail) : 0,
      gnu: format === GNU,
    };
  }
}

/** A whole second as a time. */
export function wholeSecond(sec: number): Timespec {
  return { sec, nsec: 0 };
}

/** Bytes of padding after `size` bytes of content. */
export function paddingOf(size: number): number {
  const over = size % BLOCK;
  return over === 0 ? 0 : BLOCK - over;
}
