/**
 * The log of the kernel's device-mapper target log-writes: every write that a device got, in the order in which it would
 * be on disk. Source of the format: Documentation/admin-guide/device-mapper/log-writes.rst and drivers/md/dm-log-writes.c.
 *
 *     superblock, one sector: magic, version, number of entries (u64 each), sector size (u32)
 *     entry, one sector:      sector, number of sectors, flags, length of data (u64 each), data of a mark
 *     the data of a write follows its entry
 *
 * Positions and lengths of writes are in units of 512 bytes, whatever the sector size of the log is.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

const MAGIC = 0x6a736677736872n;
const UNIT = 512;

/** What the target itself writes when it is removed. */
const LAST_MARK = 'dm-log-writes-end';

const FLAG = { flush: 1n, fua: 2n, discard: 4n, mark: 8n } as const;

/** One entry. */
export interface LogEntry {
  readonly isFlush: boolean;
  readonly isFua: boolean;
  readonly isDiscard: boolean;
  /** The text of a mark. */
  readonly mark: string | undefined;
  /** Where it was written, in bytes from the device's start. */
  readonly at: number;
  /** Bytes on the device. */
  readonly length: number;
  /** Where its data is in the log, in bytes. */
  readonly dataAt: number;
}

/** A log, open for reading. */
export interface BlockLog extends Disposable {
  readonly entries: readonly LogEntry[];
  /** Bytes of the log that are in use. */
  readonly length: number;
  /** What the entry wrote; empty for a mark, a flush alone and a discard. */
  dataOf(entry: LogEntry): Buffer;
  /** Does to `fd` what the entry says. */
  apply(entry: LogEntry, fd: number): void;
}

function read(fd: number, at: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  const got = readSync(fd, buffer, 0, length, at);
  if (got < length) throw new Error(`the log ends at ${at + got}, in the middle of what it has`);
  return buffer;
}

function parseEntry(sector: Buffer, dataAt: number): LogEntry {
  const flags = sector.readBigUInt64LE(16);
  const dataLength = Number(sector.readBigUInt64LE(24));
  const isMark = (flags & FLAG.mark) !== 0n;
  return {
    isFlush: (flags & FLAG.flush) !== 0n,
    isFua: (flags & FLAG.fua) !== 0n,
    isDiscard: (flags & FLAG.discard) !== 0n,
    // A mark's text follows within its sector and ends with a zero.
    mark: isMark ? sector.toString('utf8', 32, 32 + dataLength).replace(/\0.*$/s, '') : undefined,
    at: Number(sector.readBigUInt64LE(0)) * UNIT,
    length: Number(sector.readBigUInt64LE(8)) * UNIT,
    dataAt,
  };
}

/** Reads a log, a device or a file. Throws when it is none. */
export function openBlockLog(path: string): BlockLog {
  const fd = openSync(path, 'r');
  const head = read(fd, 0, UNIT);
  if (head.readBigUInt64LE(0) !== MAGIC) throw new Error(`${path}: not a log of dm-log-writes`);
  const count = Number(head.readBigUInt64LE(16));
  const sector = head.readUInt32LE(24);
  const entries: LogEntry[] = [];
  let at = sector;
  for (let nth = 0; nth < count; nth += 1) {
    const entry = parseEntry(read(fd, at, UNIT), at + sector);
    entries.push(entry);
    const hasData = entry.mark === undefined && !entry.isDiscard;
    at += sector + (hasData ? entry.length : 0);
  }
  const dataOf = (entry: LogEntry): Buffer =>
    entry.mark !== undefined || entry.isDiscard ? Buffer.alloc(0) : read(fd, entry.dataAt, entry.length);
  return {
    entries,
    length: at,
    dataOf,
    apply(entry, device) {
      if (entry.mark !== undefined || entry.length === 0) return;
      // What is discarded may be anything afterwards: zeros are what most disks give, and the least that can be hoped for.
      const data = entry.isDiscard ? Buffer.alloc(entry.length) : dataOf(entry);
      writeSync(device, data, 0, data.length, entry.at);
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

/** The log of a disk that says of writes that hold a text that they are done, and loses them. Closing it is left to `log`. */
export function withoutWritesOf(log: BlockLog, text: string): BlockLog {
  const lost = new Set(log.entries.filter((entry) => log.dataOf(entry).includes(text)));
  if (lost.size === 0) throw new Error(`no write holds ${text}`);
  return {
    ...log,
    apply: (entry, fd) => (lost.has(entry) ? undefined : log.apply(entry, fd)),
    [Symbol.dispose]: () => undefined,
  };
}

/** The place where each cut comes: so many entries have reached the disk. */
export interface Cut {
  readonly entries: number;
  /** What the last mark before it says. */
  readonly mark: string;
  readonly kind: 'flush' | 'mark' | 'random' | 'torn';
  /** The entries up to here are on the disk for good: a flush came after them. */
  readonly durable: number;
  /** Entries after those that the disk had in its memory and lost. Only a torn cut has such. */
  readonly lost: ReadonlySet<number>;
}

/** A generator of Marsaglia's xorshift family, 32 bits. */
function random(seed: number): (limit: number) => number {
  let state = seed || 1;
  return (limit) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
}

/** How many cuts come at places that are drawn: as many as are left to draw from where that is fewer. */
export interface DrawnCuts {
  /** None of them at a flush or a mark, and no two at one place. */
  readonly random: number;
  /** At these the disk has lost each write since the last flush with a chance of one in two; no two at one place. */
  readonly torn: number;
}

/** So many of the places, each once. */
function drawFrom(
  places: readonly number[],
  count: number,
  draw: (limit: number) => number,
): readonly number[] {
  const left = [...places];
  return Array.from({ length: Math.min(count, left.length) }, () => left.splice(draw(left.length), 1)).flat();
}

/** Before and after every flush that follows the entry `first`, and at every mark. */
function fixedPlaces(entries: readonly LogEntry[], first: number): Map<number, Cut['kind']> {
  const kinds = new Map<number, Cut['kind']>();
  for (const [index, entry] of entries.entries()) {
    if (index <= first) continue;
    // Before the flush that comes right after a mark is the place after the mark.
    for (const place of entry.isFlush || entry.isFua ? [index, index + 1] : [])
      if (kinds.get(place) !== 'mark') kinds.set(place, 'flush');
    if (entry.mark !== undefined) kinds.set(index + 1, 'mark');
  }
  return kinds;
}

/**
 * Cuts at every mark, before and after every flush, and at so many random points, from the first mark on; in the order of the log.
 */
export function cutsOf(entries: readonly LogEntry[], drawn: DrawnCuts, seed = 1): Cut[] {
  const first = entries.findIndex(({ mark }) => mark !== undefined);
  if (first < 0) throw new Error('the log has no mark');
  const draw = random(seed);
  const kinds = fixedPlaces(entries, first);
  const places = Array.from({ length: entries.length - first }, (_, nth) => first + 1 + nth);
  const others = places.filter((place) => !kinds.has(place));
  for (const place of drawFrom(others, drawn.random, draw)) kinds.set(place, 'random');
  const torn = new Set(drawFrom(places, drawn.torn, draw));
  const cuts: Cut[] = [];
  let mark = '';
  let durable = 0;
  for (let count = 0; count <= entries.length; count += 1) {
    const passed = entries[count - 1];
    if (passed?.mark !== undefined && passed.mark !== LAST_MARK) mark = passed.mark;
    // What a flush brings itself is written after it.
    if (passed?.isFlush === true) durable = count - 1;
    const kind = kinds.get(count);
    const cut = { entries: count, mark, durable };
    if (kind !== undefined) cuts.push({ ...cut, kind, lost: new Set() });
    if (torn.has(count)) cuts.push({ ...cut, kind: 'torn', lost: drawLost(entries, cut, draw) });
  }
  return cuts;
}

/** Of the writes since the last flush, those that are lost: any may be, but for one that was to reach the disk at once (FUA). */
function drawLost(
  entries: readonly LogEntry[],
  cut: Pick<Cut, 'entries' | 'durable'>,
  draw: (limit: number) => number,
): ReadonlySet<number> {
  const lost = new Set<number>();
  for (let index = cut.durable; index < cut.entries; index += 1) {
    const entry = entries[index];
    if (entry?.mark === undefined && entry?.isFua === false && draw(2) === 0) lost.add(index);
  }
  return lost;
}
