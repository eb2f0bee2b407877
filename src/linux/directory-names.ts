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

/** Visits the names but for `.` and `..`, each where it lies in a buffer that is used again. */
function each(fd: number, visit: (entries: Buffer, from: number, end: number, at: number) => void): void {
  room ??= Buffer.allocUnsafeSlow(ROOM);
  lseekCall(undefined, fd, 0, SEEK_SET);
  for (;;) {
    const filled = getdentsCall(undefined, fd, room, ROOM);
    if (filled === 0) return;
    // Single bytes, because code that was not compiled yet reads these fastest.
    for (let at = 0; at < filled; ) {
      const from = at + NAME_AT;
      const next = at + (room[at + LENGTH_AT] ?? 0) + ((room[at + LENGTH_AT + 1] ?? 0) << 8);
      let end = Math.max(from, next - ALIGNMENT);
      while (room[end] !== 0) end += 1;
      if (!isDots(room, from, end)) visit(room, from, end, at);
      at = next;
    }
  }
}

function isDots(entries: Buffer, from: number, end: number): boolean {
  return entries[from] === 0x2e && (end === from + 1 || (end === from + 2 && entries[from + 1] === 0x2e));
}

/** The names in an open directory, as bytes, in no order. */
export function namesIn(fd: number): Buffer[] {
  const names: Buffer[] = [];
  each(fd, (entries, from, end) => names.push(Buffer.from(entries.subarray(from, end))));
  return names;
}

/** The same, each byte a character: cheaper where most are only compared. */
export function latin1NamesIn(fd: number): string[] {
  const names: string[] = [];
  each(fd, (entries, from, end) => names.push(entries.toString('latin1', from, end)));
  return names;
}

/** The names of some inodes in an open directory, each byte a character. Inode numbers from 2^53 on are not found. */
export function namesOfInodes(fd: number, wanted: ReadonlySet<number>): Map<number, string> {
  const names = new Map<number, string>();
  each(fd, (entries, from, end, at) => {
    const inode = entries.readUInt32LE(at) + entries.readUInt32LE(at + 4) * 2 ** 32;
    if (wanted.has(inode)) names.set(inode, entries.toString('latin1', from, end));
  });
  return names;
}
