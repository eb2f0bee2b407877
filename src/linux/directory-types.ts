import { DT_UNKNOWN, directoryEntries } from './directory-entries.ts';
import { withRoot } from './open-directory.ts';
import type { BytePath } from './path.ts';

/**
 * Whether the filesystem says of each entry of the directory, while it is listed, what type it is (xfs made with
 * `ftype=0` does not, and overlayfs cannot work on it). `.` and `..` do not count: Linux 6.1 tells their types on every
 * xfs. So the directory must hold something: an empty one is taken to tell.
 */
export function tellsEntryTypes(directory: BytePath): boolean {
  return withRoot(directory, (fd) => directoryEntries(fd).every(({ type }) => type !== DT_UNKNOWN));
}
