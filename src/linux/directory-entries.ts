import { declareSyscall } from './libc.ts';

const getdentsCall = declareSyscall(process.arch === 'arm64' ? 61 : 217, 'getdents64', [
  'uint',
  'void *',
  'size_t',
]);

/** `d_type` of an entry whose filesystem does not say, and of a directory. Source: `linux/fs_types.h`. */
export const DT_UNKNOWN = 0;
export const DT_DIR = 4;

/** Offsets. Source: getdents64(2): `u64 d_ino; s64 d_off; u16 d_reclen; u8 d_type; char d_name[]`. */
const LENGTH = 16;
const TYPE = 18;
const NAME = 19;

/** What a directory says of one entry. */
export interface DirectoryEntry {
  readonly inode: bigint;
  /** One of the `DT_` numbers. */
  readonly type: number;
  readonly name: Buffer;
}

/** The entries of an open directory from where it stands, without `.` and `..`, as the kernel gives them. */
export function* directoryEntries(fd: number): Generator<DirectoryEntry> {
  const buffer = Buffer.alloc(32_768);
  for (;;) {
    const length = getdentsCall(undefined, fd, buffer, buffer.length);
    if (length === 0) return;
    for (let at = 0; at < length; at += buffer.readUInt16LE(at + LENGTH)) {
      const name = buffer.subarray(at + NAME, buffer.indexOf(0, at + NAME));
      if (name.equals(DOT) || name.equals(DOTS)) continue;
      yield {
        inode: buffer.readBigUInt64LE(at),
        type: buffer.readUInt8(at + TYPE),
        name: Buffer.from(name),
      };
    }
  }
}

const DOT = Buffer.from('.');
const DOTS = Buffer.from('..');
