import { hasErrno } from '../errors.ts';
import { closeFd, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, openAt, renameAt2, rmdirAt, unlinkAt } from './at.ts';
import { namesIn } from './directory-names.ts';
import type { BytePath } from './path.ts';
import { AT_FDCWD } from './stat.ts';

/**
 * How deep directories are opened one inside the other. What lies deeper is moved up first, so that a tree of any
 * depth (a container can make one that no path reaches) takes neither more descriptors nor more stack.
 */
const MAX_DEPTH = 128;

/**
 * Removes a tree, whatever is in it, however deep and however its names are encoded; one that is not there is no
 * error, and neither is what somebody else removes meanwhile. Directories are opened without following symbolic links, so that nothing outside is touched even if somebody
 * swaps one in meanwhile. A mount inside makes it fail with `EBUSY`. A crash leaves part of the tree.
 */
export function removeTree(path: BytePath): void {
  removeTreeAt(AT_FDCWD, path);
}

/** `removeTree` of a name below an open directory. */
export function removeTreeAt(dirfd: number, name: BytePath): void {
  const fd = openIfDirectory(dirfd, name);
  if (fd === undefined) return;
  try {
    // Each round brings up what lay deeper than the one before could go.
    while (emptyDirectory(fd, fd, 0)) {}
  } finally {
    closeFd(fd);
  }
  removeEmpty(dirfd, name);
}

/** The open directory; anything else of that name is removed at once. */
function openIfDirectory(dirfd: number, name: BytePath): number | undefined {
  try {
    return openAt(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    // ENOTDIR: a file; ELOOP: a symbolic link.
    if (!hasErrno(error, 'ENOTDIR', 'ELOOP')) throw error;
    unlinkIfAny(dirfd, name);
    return undefined;
  }
}

/** Removes all that a directory holds. Returns whether something was moved up to `top`, which then has to be emptied again. */
function emptyDirectory(top: number, fd: number, depth: number): boolean {
  let moved = false;
  for (const child of childrenOf(fd)) {
    if (removeFile(fd, child)) continue;
    if (depth === MAX_DEPTH) {
      moveUp(top, fd, child);
      moved = true;
      continue;
    }
    const childFd = openIfDirectory(fd, child);
    if (childFd === undefined) continue;
    try {
      if (emptyDirectory(top, childFd, depth + 1)) moved = true;
    } finally {
      closeFd(childFd);
    }
    removeEmpty(fd, child);
  }
  return moved;
}

/** What is in an open directory: nothing in one that somebody else has removed meanwhile. */
function childrenOf(fd: number): readonly Buffer[] {
  try {
    return namesIn(fd);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Removes an emptied directory, if it is still there. */
function removeEmpty(dirfd: number, name: BytePath): void {
  try {
    rmdirAt(dirfd, name);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}

let sequence = 0;

/** Moves a directory up, under a name of our own. Whatever has that name already is going to be removed as well. */
function moveUp(top: number, fd: number, child: Buffer): void {
  for (;;) {
    try {
      renameAt2(fd, child, top, `.tmp-removing-${process.pid}-${sequence++}`);
      return;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return;
      // Taken by a file or by a directory with something in it.
      if (!hasErrno(error, 'ENOTDIR', 'EEXIST', 'ENOTEMPTY')) throw error;
    }
  }
}

/** Most children are files: unlink first. Returns false for what turns out to be a directory. */
function removeFile(fd: number, child: Buffer): boolean {
  try {
    unlinkIfAny(fd, child);
    return true;
  } catch (error) {
    // Linux says EISDIR for a directory, POSIX EPERM.
    if (hasErrno(error, 'EISDIR', 'EPERM')) return false;
    throw error;
  }
}

function unlinkIfAny(dirfd: number, name: BytePath): void {
  try {
    unlinkAt(dirfd, name);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
