/**
 * The names in an open directory, read through its descriptor: by a path in /proc it would be opened again, and its time of last
 * access written. Source: getdents64(2).
 */
import { declare } from './libc.ts';

const getdentsCall = declare('getdents64', 'long', ['int', 'void *', 'size_t'], 'readdir');
const lseekCall = declare('lseek', 'long', ['int', 'long', 'int']);
const SEEK_SET = 0;

/** Room for some thousand names. */
const ROOM = 1 << 16;
/** `struct linux_dirent64`: inode u64, offset u64, length u16, type u8, and the name, which NULs fill up to a multiple of 8. */
const LENGTH_AT = 16;
const NAME_AT = 19;
const ALIGNMENT = 8;

let room: Buffer | undefined;

/** Visits the entries from where the descriptor is, each where it lies in a buffer that is used again: from `at` on, until `next`. */
function each(fd: number, visit: (entries: Buffer, at: number, next: number) => void): void {
  room ??= Buffer.allocUnsafeSlow(ROOM);
  for (;;) {
    const filled = getdentsCall(undefined, fd, room, ROOM);
    if (filled === 0) return;
    // Single bytes, because code that was not compiled yet reads these fastest.
    for (let at = 0; at < filled; ) {
      const next = at + (room[at + LENGTH_AT] ?? 0) + ((room[at + LENGTH_AT + 1] ?? 0) << 8);
      visit(room, at, next);
      at = next;
    }
  }
}

/** The end of an entry's name; 0 of `.` and `..`, which are none. */
function endOfName(entries: Buffer, at: number, next: number): number {
  const from = at + NAME_AT;
  let end = Math.max(from, next - ALIGNMENT);
  while (entries[end] !== 0) end += 1;
  const isDots =
    entries[from] === 0x2e && (end === from + 1 || (end === from + 2 && entries[from + 1] === 0x2e));
  return isDots ? 0 : end;
}

/** The names in an open directory, as bytes, in no order. */
export function namesIn(fd: number): Buffer[] {
  const names: Buffer[] = [];
  lseekCall(undefined, fd, 0, SEEK_SET);
  each(fd, (entries, at, next) => {
    const end = endOfName(entries, at, next);
    if (end > 0) names.push(Buffer.from(entries.subarray(at + NAME_AT, end)));
  });
  return names;
}

/** The same of a directory that was just opened, each byte a character: cheaper where most are only compared. */
export function latin1NamesIn(fd: number): string[] {
  const names: string[] = [];
  each(fd, (entries, at, next) => {
    const end = endOfName(entries, at, next);
    if (end > 0) names.push(entries.toString('latin1', at + NAME_AT, end));
  });
  return names;
}

/** The names of some inodes in a directory that was just opened, each byte a character. Inode numbers from 2^53 on are not found. */
export function namesOfInodes(fd: number, wanted: ReadonlySet<number>): Map<number, string> {
  const names = new Map<number, string>();
  each(fd, (entries, at, next) => {
    const inode = entries.readUInt32LE(at) + entries.readUInt32LE(at + 4) * 2 ** 32;
    if (!wanted.has(inode)) return;
    const end = endOfName(entries, at, next);
    if (end > 0) names.set(inode, entries.toString('latin1', at + NAME_AT, end));
  });
  return names;
}
