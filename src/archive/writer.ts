/**
 * Writes tar headers: ustar blocks, with a pax extended header before those whose values do not fit one (POSIX.1-2024,
 * pax). Same entry, same bytes: there is no clock, no counter and no process id in what is written.
 */
import { TsengineError } from '../errors.ts';
import { printableMember } from './fail.ts';
import { BLOCK, EMPTY, paddingOf } from './header.ts';
import { formatTime, paxRecord, xattrKey } from './pax.ts';
import { encodeSparseMap, storedBytes } from './sparse.ts';
import { type EntryType, LIMITS, type TarEntry } from './types.ts';

/** Type flags, as bytes. */
const FLAGS: Record<EntryType, number> = {
  file: 0x30,
  hardlink: 0x31,
  symlink: 0x32,
  char: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
};

/** Magic and version. */
const USTAR: Buffer = Buffer.from('ustar\x0000', 'latin1');

const ZEROS: Buffer = Buffer.alloc(2 * BLOCK);

/** The two zero blocks that end an archive. */
export const endOfArchive: Buffer = ZEROS;

/** The zero bytes that follow `size` bytes of content in an archive; empty when the content fills its last block. */
export function padding(size: number): Buffer {
  const length = paddingOf(size);
  return length === 0 ? EMPTY : ZEROS.subarray(0, length);
}

/** Bytes of content that must follow `encodeHeader(entry)`, before `padding` of the same number. */
export function contentSize(entry: TarEntry): number {
  if (entry.type !== 'file') return 0;
  return entry.sparse === undefined ? entry.size : storedBytes(entry.sparse);
}

/** What goes into a ustar block, after values that do not fit have been moved to pax records. */
interface UstarFields {
  name: Buffer;
  prefix: Buffer;
  linkName: Buffer;
  /** The type flag's byte. */
  flag: number;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  uname: Buffer;
  gname: Buffer;
  devMajor: number;
  devMinor: number;
}

/**
 * The bytes that stand before an entry's content: a pax header where one is needed, the ustar header, and for a file
 * with `sparse` the map of GNU's pax format 1.0. Then follow `contentSize(entry)` bytes, then `padding` of those.
 *
 * A pax header is written for: names that are not ASCII or do not fit ustar's 100 bytes and prefix, owners' names
 * likewise, ids past 2 097 151, sizes from 8 GiB, times before 1970 or with nanoseconds, atime, ctime, xattrs, sparse
 * maps (whose runs must be as `wholeBlockRuns` makes them). Names that are not UTF-8 are written to pax as they are, as GNU tar and Go do. Throws `InvalidParameter` when
 * the pax header would be past `LIMITS.paxHeader`, which our reader and Go's refuse.
 */
export function encodeHeader(entry: TarEntry): Buffer {
  const records: string[] = [];
  const map = entry.sparse === undefined ? EMPTY : encodeSparseMap(entry.sparse, entry.size);
  const fields = ustarFields(entry, map.length + contentSize(entry), records);
  if (entry.sparse !== undefined) addSparse(entry, records);
  for (const name of [...entry.xattrs.keys()].sort()) {
    records.push(paxRecord(xattrKey(name), (entry.xattrs.get(name) ?? EMPTY).toString('latin1')));
  }
  const payload = records.join('');
  if (payload.length > LIMITS.paxHeader) {
    const limit = `${payload.length} bytes of names and extended attributes, more than ${LIMITS.paxHeader}`;
    throw new TsengineError('InvalidParameter', `cannot archive "${printableMember(entry.name)}": ${limit}`);
  }
  const paxBytes = payload.length === 0 ? 0 : BLOCK + payload.length + paddingOf(payload.length);
  const out = Buffer.allocUnsafe(paxBytes + BLOCK + map.length).fill(0);
  if (paxBytes > 0) {
    ustarBlock(paxFields(entry, payload.length), out.subarray(0, BLOCK));
    out.write(payload, BLOCK, 'latin1');
  }
  ustarBlock(fields, out.subarray(paxBytes, paxBytes + BLOCK));
  map.copy(out, paxBytes + BLOCK);
  return out;
}

/** The ustar fields of an entry. Values that do not fit go to `records` and are left zero or cut in the fields. */
function ustarFields(entry: TarEntry, size: number, records: string[]): UstarFields {
  const isDevice = entry.type === 'char' || entry.type === 'block';
  return {
    ...nameFields(entry, records),
    linkName: text(records, 'linkpath', entry.linkName, 100),
    flag: FLAGS[entry.type],
    mode: entry.mode,
    uid: integer(records, 'uid', entry.uid, 0o7777777),
    gid: integer(records, 'gid', entry.gid, 0o7777777),
    size: integer(records, 'size', size, 0o77777777777),
    mtime: times(records, entry),
    uname: text(records, 'uname', entry.uname, 32),
    gname: text(records, 'gname', entry.gname, 32),
    devMajor: isDevice ? integer(records, 'SCHILY.devmajor', entry.devMajor, 0o7777777) : 0,
    devMinor: isDevice ? integer(records, 'SCHILY.devminor', entry.devMinor, 0o7777777) : 0,
  };
}

/** The name: of a sparse file a side name (its own goes to a record), of a directory with the slash that tar puts there. */
function nameFields(entry: TarEntry, records: string[]): { name: Buffer; prefix: Buffer } {
  if (entry.sparse !== undefined) return { name: sideName(entry.name, 'GNUSparseFile.0'), prefix: EMPTY };
  const slash = entry.type === 'directory' && entry.name.at(-1) !== 0x2f;
  const name = slash ? Buffer.concat([entry.name, Buffer.from('/')]) : entry.name;
  const split = splitName(name);
  if (split !== undefined) return split;
  records.push(paxRecord('path', name.toString('latin1')));
  return { name: name.subarray(0, 100), prefix: EMPTY };
}

function isAscii(bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] ?? 0) >= 0x80) return false;
  return true;
}

/** The name as ustar's name and prefix, cut at a slash; `undefined` when it does not fit or is not ASCII. */
function splitName(name: Buffer): { name: Buffer; prefix: Buffer } | undefined {
  if (!isAscii(name)) return undefined;
  if (name.length <= 100) return { name, prefix: EMPTY };
  // The cut's slash is not stored. Something must follow it; the last byte may be a directory's own slash.
  const cut = name.lastIndexOf(0x2f, Math.min(155, name.length - 2));
  if (cut <= 0 || name.length - cut - 1 > 100) return undefined;
  return { name: name.subarray(cut + 1), prefix: name.subarray(0, cut) };
}

function text(records: string[], key: string, value: Buffer, room: number): Buffer {
  if (value.length <= room && isAscii(value)) return value;
  records.push(paxRecord(key, value.toString('latin1')));
  return value.subarray(0, room);
}

function integer(records: string[], key: string, value: number, most: number): number {
  if (value >= 0 && value <= most) return value;
  records.push(paxRecord(key, String(value)));
  return 0;
}

function times(records: string[], entry: TarEntry): number {
  const { sec, nsec } = entry.mtime;
  const fits = sec >= 0 && sec <= 0o77777777777;
  if (!fits || nsec !== 0) records.push(paxRecord('mtime', formatTime(entry.mtime)));
  if (entry.atime !== undefined) records.push(paxRecord('atime', formatTime(entry.atime)));
  if (entry.ctime !== undefined) records.push(paxRecord('ctime', formatTime(entry.ctime)));
  return fits ? sec : 0;
}

/** The records of GNU's sparse format 1.0, whose map stands before the content. */
function addSparse(entry: TarEntry, records: string[]): void {
  records.push(
    paxRecord('GNU.sparse.major', '1'),
    paxRecord('GNU.sparse.minor', '0'),
    paxRecord('GNU.sparse.name', entry.name.toString('latin1')),
    paxRecord('GNU.sparse.realsize', String(entry.size)),
  );
}

/** What programs that do not know an extension extract: `dir/SIDE/base` in ASCII, cut to fit. */
function sideName(name: Buffer, side: string): Buffer {
  const clean = name
    .toString('latin1')
    .replace(/\/+$/, '')
    .replace(/[^\x20-\x7e]/g, '?');
  const cut = clean.lastIndexOf('/');
  const dir = cut < 0 ? '.' : clean.slice(0, cut);
  const base = clean.slice(cut + 1);
  const full = `${dir}/${side}/${base}`;
  return Buffer.from((full.length <= 100 ? full : `./${side}/${base}`).slice(0, 100), 'latin1');
}

/** The header of the pax member itself, which programs that do not know pax extract as a file. */
function paxFields(entry: TarEntry, size: number): UstarFields {
  return {
    name: sideName(entry.name, 'PaxHeaders.0'),
    prefix: EMPTY,
    linkName: EMPTY,
    flag: 0x78,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size,
    mtime: 0,
    uname: EMPTY,
    gname: EMPTY,
    devMajor: 0,
    devMinor: 0,
  };
}

/** Writes a header into a block of zeros. */
function ustarBlock(fields: UstarFields, block: Buffer): void {
  fields.name.copy(block, 0);
  octal(block, 100, 8, fields.mode);
  octal(block, 108, 8, fields.uid);
  octal(block, 116, 8, fields.gid);
  octal(block, 124, 12, fields.size);
  octal(block, 136, 12, fields.mtime);
  block[156] = fields.flag;
  fields.linkName.copy(block, 157);
  USTAR.copy(block, 257);
  fields.uname.copy(block, 265);
  fields.gname.copy(block, 297);
  octal(block, 329, 8, fields.devMajor);
  octal(block, 337, 8, fields.devMinor);
  fields.prefix.copy(block, 345);
  // The checksum's own eight bytes count as spaces.
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) sum += block[i] ?? 0;
  // Six digits, a NUL and a space: the form of POSIX's own examples and of GNU tar.
  octal(block, 148, 7, sum);
  block[155] = 0x20;
}

/** `length - 1` octal digits and a NUL, which is there already. */
function octal(block: Buffer, at: number, length: number, value: number): void {
  let rest = value;
  for (let i = at + length - 2; i >= at; i--) {
    const eighth = Math.floor(rest / 8);
    block[i] = 0x30 + rest - 8 * eighth;
    rest = eighth;
  }
}
