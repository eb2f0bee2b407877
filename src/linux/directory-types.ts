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

/**
 * Whether the filesystem says of each entry of the directory, while it is listed, what type it is (xfs made with
 * `ftype=0` does not, and overlayfs cannot work on it). `.` and `..` count, so that an empty directory tells as well.
 * Source: getdents64(2): `u64 d_ino; s64 d_off; u16 d_reclen; u8 d_type; char d_name[]`.
 */
export function tellsEntryTypes(directory: BytePath): boolean {
  const fd = openAt(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  try {
    const buffer = Buffer.alloc(32_768);
    for (;;) {
      const length = getdentsCall({ path: directory }, fd, buffer, buffer.length);
      if (length === 0) return true;
      for (let at = 0; at < length; at += buffer.readUInt16LE(at + 16)) {
        if (buffer.readUInt8(at + 18) === DT_UNKNOWN) return false;
      }
    }
  } finally {
    closeFd(fd);
  }
}
