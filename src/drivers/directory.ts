/** Reading trees below an open directory, so that neither long paths nor renamed folders lead astray. */
import { closeFd, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, openAt } from '../linux/at.ts';
import { listDirectoryBytes } from '../linux/files.ts';
import type { BytePath } from '../linux/path.ts';
import { AT_FDCWD, type FileStat, S_IFDIR, S_IFMT } from '../linux/stat.ts';

/** A path by which calls that know no directory descriptor (the xattr family) reach a name below one. */
export function viaFd(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
}

/** A path within a layer: `/` and the names, in bytes. */
export function childPath(parent: Buffer, name: Buffer): Buffer {
  return Buffer.concat([parent, Buffer.from('/'), name]);
}

/** Whether the file is a directory. */
export function isDirectoryStat(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

/** The names in an open directory, as bytes, in no order. */
export function namesIn(fd: number): Buffer[] {
  return listDirectoryBytes(`/proc/self/fd/${fd}`);
}

/** Opens the directory `name` below `fd` (`AT_FDCWD` for an absolute path), runs, closes. Symbolic links are not followed. */
export function withDirectory<T>(fd: number, name: BytePath, run: (opened: number) => T): T {
  const opened = openAt(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    return run(opened);
  } finally {
    closeFd(opened);
  }
}

/** Opens a tree's root by absolute path. */
export function withRoot<T>(root: BytePath, run: (opened: number) => T): T {
  return withDirectory(AT_FDCWD, root, run);
}
