import { closeFd, O_DIRECTORY, O_RDONLY, openAt } from './at.ts';
import { declareSyscall } from './libc.ts';
import type { BytePath } from './path.ts';
import { AT_FDCWD } from './stat.ts';

const getdentsCall = declareSyscall(process.arch === 'arm64' ? 61 : 217, 'getdents64', [
  'uint',
  'void *',
  'size_t',
]);

/** `d_type` of an entry whose filesystem does not say. Source: `linux/fs_types.h`. */
const DT_UNKNOWN = 0;

/** The offset of `d_name`. Source: getdents64(2): `u64 d_ino; s64 d_off; u16 d_reclen; u8 d_type; char d_name[]`. */
const NAME = 19;

/** Whether the entry at `at` is `.` or `..`. */
function isDots(buffer: Buffer, at: number): boolean {
  const name = buffer.toString('latin1', at + NAME, at + NAME + 3);
  return name.startsWith('.\0') || name === '..\0';
}

/**
 * Whether the filesystem says of each entry of the directory, while it is listed, what type it is (xfs made with
 * `ftype=0` does not, and overlayfs cannot work on it). `.` and `..` do not count: Linux 6.1 tells their types on every
 * xfs. So the directory must hold something: an empty one is taken to tell.
 */
export function tellsEntryTypes(directory: BytePath): boolean {
  const fd = openAt(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  try {
    const buffer = Buffer.alloc(32_768);
    for (;;) {
      const length = getdentsCall({ path: directory }, fd, buffer, buffer.length);
      if (length === 0) return true;
      for (let at = 0; at < length; at += buffer.readUInt16LE(at + 16)) {
        if (buffer.readUInt8(at + 18) === DT_UNKNOWN && !isDots(buffer, at)) return false;
      }
    }
  } finally {
    closeFd(fd);
  }
}
