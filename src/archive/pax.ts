/**
 * Pax extended headers: records `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record (POSIX.1-2024, pax,
 * "pax Extended Header"). Keys and values are bytes. Keys beyond POSIX: `SCHILY.xattr.*` and `SCHILY.dev*` (star),
 * `GNU.sparse.*` (GNU tar manual, "Storing Sparse Files"). Others are ignored as POSIX asks: among them
 * `LIBARCHIVE.xattr.*`, which bsdtar writes beside `SCHILY.xattr.*` with the same values.
 */

import type { Fail } from './fail.ts';
import { EMPTY } from './header.ts';
import { LIMITS, type Timespec } from './types.ts';

/** What the records of one extended header say; absent where they say nothing. */
export interface PaxRecords {
  path?: Buffer;
  linkPath?: Buffer;
  uname?: Buffer;
  gname?: Buffer;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: Timespec;
  atime?: Timespec;
  ctime?: Timespec;
  devMajor?: number;
  devMinor?: number;
  xattrs?: Map<string, Buffer>;
  sparse?: PaxSparse;
}

/** `GNU.sparse.*` records, not yet judged. `map` is flat: offset, length, offset, length… */
export interface PaxSparse {
  major?: string;
  minor?: string;
  name?: Buffer;
  realSize?: number;
  count?: number;
  map?: number[];
}

const XATTR = 'SCHILY.xattr.';

/** Parses the payload of an `x` or `g` member. Values are copied. A record given twice counts as given last. */
export function parsePax(payload: Buffer, fail: Fail): PaxRecords {
  const records: PaxRecords = {};
  let at = 0;
  while (at < payload.length) {
    const end = recordEnd(payload, at, fail);
    const space = payload.indexOf(0x20, at);
    const equals = payload.indexOf(0x3d, space);
    if (equals < 0 || equals >= end - 1 || equals === space + 1) fail('a pax record has no key');
    readRecord(
      records,
      payload.toString('latin1', space + 1, equals),
      payload.subarray(equals + 1, end - 1),
      fail,
    );
    at = end;
  }
  return records;
}

/** Where the record at `at` ends: just past its newline. */
function recordEnd(payload: Buffer, at: number, fail: Fail): number {
  let length = 0;
  let i = at;
  for (; i < payload.length && i - at < 8; i++) {
    const digit = (payload[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    length = length * 10 + digit;
  }
  const end = at + length;
  // The shortest record there can be is "5 a=\n".
  if (i === at || payload[i] !== 0x20 || length < 5 || end > payload.length || payload[end - 1] !== 0x0a) {
    fail('a pax record has a wrong length');
  }
  return end;
}

function readRecord(records: PaxRecords, key: string, value: Buffer, fail: Fail): void {
  if (key.startsWith(XATTR)) {
    readXattr(records, xattrName(key.slice(XATTR.length)), value, fail);
    return;
  }
  if (key.startsWith('GNU.sparse.')) {
    records.sparse ??= {};
    readSparse(records.sparse, key.slice('GNU.sparse.'.length), value, fail);
    return;
  }
  // An empty value takes back an earlier record (POSIX).
  const given = value.length > 0;
  switch (key) {
    case 'path':
      setOrDelete(records, 'path', given ? text(key, value, fail) : undefined);
      return;
    case 'linkpath':
      setOrDelete(records, 'linkPath', given ? text(key, value, fail) : undefined);
      return;
    case 'uname':
    case 'gname':
      setOrDelete(records, key, given ? text(key, value, fail) : undefined);
      return;
    case 'size':
    case 'uid':
    case 'gid':
      setOrDelete(records, key, given ? integer(key, value, fail) : undefined);
      return;
    case 'SCHILY.devmajor':
      setOrDelete(records, 'devMajor', given ? integer(key, value, fail) : undefined);
      return;
    case 'SCHILY.devminor':
      setOrDelete(records, 'devMinor', given ? integer(key, value, fail) : undefined);
      return;
    case 'mtime':
    case 'atime':
    case 'ctime':
      setOrDelete(records, key, given ? parseTime(key, value, fail) : undefined);
      return;
  }
}

function setOrDelete<K extends keyof PaxRecords>(
  records: PaxRecords,
  key: K,
  value: PaxRecords[K] | undefined,
): void {
  if (value === undefined) delete records[key];
  else records[key] = value;
}

/** Text fields: bytes, and none of them NUL, because no path or name in Linux has one. */
function text(key: string, value: Buffer, fail: Fail): Buffer {
  if (value.includes(0)) fail(`the pax ${key} contains a NUL byte`);
  return Buffer.from(value);
}

function integer(key: string, value: Buffer, fail: Fail): number {
  const digits = value.toString('latin1');
  if (!/^-?[0-9]{1,30}$/.test(digits)) return fail(`the pax ${key} is not a number`);
  const parsed = Number(digits);
  if (!Number.isSafeInteger(parsed)) fail(`the pax ${key} is absurdly large`);
  return parsed;
}

/** Seconds with an optional fraction, of which nine digits count; `-1.5` is half a second before -1. */
function parseTime(key: string, value: Buffer, fail: Fail): Timespec {
  const match = /^(-?)([0-9]{1,30})(?:\.([0-9]*))?$/.exec(value.toString('latin1'));
  if (match === null) return fail(`the pax ${key} is not a time`);
  const [, sign, whole = '', fraction = ''] = match;
  const sec = Number(whole);
  if (!Number.isSafeInteger(sec)) fail(`the pax ${key} is absurdly large`);
  const nsec = Number(fraction.slice(0, 9).padEnd(9, '0'));
  if (sign === '') return { sec, nsec };
  return nsec === 0 ? { sec: 0 - sec, nsec } : { sec: -sec - 1, nsec: 1_000_000_000 - nsec };
}

/** An xattr's name from its key, in which GNU tar writes `=` as `%3D` and `%` as `%25`. */
function xattrName(key: string): string {
  return key.includes('%') ? key.replaceAll('%3D', '=').replaceAll('%25', '%') : key;
}

function readXattr(records: PaxRecords, name: string, value: Buffer, fail: Fail): void {
  if (name.length === 0 || name.includes('\0')) fail('a pax record has an unusable xattr name');
  if (name.length > LIMITS.xattrName)
    fail(`an xattr name is longer than ${LIMITS.xattrName} bytes`, 'InvalidParameter');
  if (value.length > LIMITS.xattrValue) {
    fail(
      `the value of xattr ${JSON.stringify(name)} is longer than ${LIMITS.xattrValue} bytes`,
      'InvalidParameter',
    );
  }
  records.xattrs ??= new Map();
  records.xattrs.set(name, value.length === 0 ? EMPTY : Buffer.from(value));
}

function readSparse(sparse: PaxSparse, key: string, value: Buffer, fail: Fail): void {
  switch (key) {
    case 'major':
    case 'minor':
      sparse[key] = value.toString('latin1');
      return;
    case 'name':
      sparse.name = text(`GNU.sparse.${key}`, value, fail);
      return;
    case 'size':
    case 'realsize':
      sparse.realSize = integer(`GNU.sparse.${key}`, value, fail);
      return;
    case 'numblocks':
      sparse.count = integer(`GNU.sparse.${key}`, value, fail);
      return;
    case 'offset':
    case 'numbytes':
      // Format 0.0: the same two keys again and again, in turn.
      sparse.map ??= [];
      if ((sparse.map.length % 2 === 0) !== (key === 'offset')) fail('the sparse map is out of order');
      sparse.map.push(integer(`GNU.sparse.${key}`, value, fail));
      return;
    case 'map':
      sparse.map = value.length === 0 ? [] : mapNumbers(value, fail);
      return;
  }
}

function mapNumbers(value: Buffer, fail: Fail): number[] {
  return value
    .toString('latin1')
    .split(',')
    .map((digits) => {
      const parsed = Number(digits);
      return /^[0-9]{1,16}$/.test(digits) && Number.isSafeInteger(parsed)
        ? parsed
        : fail('the sparse map has a wrong number');
    });
}

/**
 * One record, as a latin1 string in which each character is a byte; `value` is the same kind of string. Its length
 * counts its own digits, so the digits are found by trying.
 */
export function paxRecord(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** The key of an xattr's record; the inverse of what the reader does with `%`. */
export function xattrKey(name: string): string {
  return XATTR + (/[=%]/.test(name) ? name.replaceAll('%', '%25').replaceAll('=', '%3D') : name);
}

/** A time as a record's value: no fraction where there is none, no trailing zeros. */
export function formatTime(time: Timespec): string {
  if (time.nsec === 0) return String(time.sec);
  const negative = time.sec < 0;
  const whole = negative ? -(time.sec + 1) : time.sec;
  const nsec = negative ? 1_000_000_000 - time.nsec : time.nsec;
  return `${negative ? '-' : ''}${whole}.${String(nsec).padStart(9, '0').replace(/0+$/, '')}`;
}
