import { hasErrno } from '../errors.ts';
import { closeFd, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, openAt, rmdirAt, unlinkAt } from './at.ts';
import { listDirectoryBytes } from './files.ts';
import type { BytePath } from './path.ts';
import { AT_FDCWD } from './stat.ts';

/**
 * Removes a tree, whatever is in it and however its names are encoded; one that is not there is no error. Directories
 * are opened without following symbolic links, so that nothing outside is touched even if somebody swaps one in
 * meanwhile. A mount inside makes it fail with `EBUSY`. A crash leaves part of the tree.
 */
export function removeTree(path: BytePath): void {
  removeAt(AT_FDCWD, path);
}

function removeAt(dirfd: number, name: BytePath): void {
  let fd: number;
  try {
    fd = openAt(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    // ENOTDIR: a file; ELOOP: a symbolic link.
    if (!hasErrno(error, 'ENOTDIR', 'ELOOP')) throw error;
    unlinkIfAny(dirfd, name);
    return;
  }
  try {
    for (const child of listDirectoryBytes(`/proc/self/fd/${fd}`)) removeChild(fd, child);
  } finally {
    closeFd(fd);
  }
  rmdirAt(dirfd, name);
}

/** Most children are files: unlink first, and only what turns out to be a directory is opened. */
function removeChild(fd: number, child: Buffer): void {
  try {
    unlinkAt(fd, child);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    // Linux says EISDIR for a directory, POSIX EPERM.
    if (!hasErrno(error, 'EISDIR', 'EPERM')) throw error;
    removeAt(fd, child);
  }
}

function unlinkIfAny(dirfd: number, name: BytePath): void {
  try {
    unlinkAt(dirfd, name);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
