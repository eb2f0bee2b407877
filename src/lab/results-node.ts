/** What a name gets that was just made in a folder of results, which may be another user's. */
import { TsengineError } from '../errors.ts';
import { chmodAt, chownHandle, closeFd, O_NOFOLLOW, O_PATH, openAt, utimensHandle } from '../linux/at.ts';
import { AT_FDCWD, fstat, S_IFLNK, S_IFMT } from '../linux/stat.ts';
import type { Inode } from './ext4.ts';

/** Without set-ID bits: a program of the guest's must not run with rights of this machine's. */
export function permissions({ mode }: Pick<Inode, 'mode'>): number {
  return mode & 0o1777;
}

/**
 * Gives the symbolic link, fifo or whiteout that was just made its owner, mode and times. The folder may be another user's, who
 * puts something of somebody else's in its place: so by a descriptor, and only where that is what was made.
 */
export function finishNode(parent: number, name: Buffer, inode: NodeOwner, setsOwner: boolean): void {
  const type = inode.mode & S_IFMT;
  const fd = openAt(parent, name, O_PATH | O_NOFOLLOW);
  try {
    const there = fstat(fd);
    if ((there.mode & S_IFMT) !== type || there.nlink !== 1)
      throw new TsengineError('System', 'something else was put in its place');
    if (setsOwner) chownHandle(fd, inode.uid, inode.gid);
    if (type !== S_IFLNK) chmodAt(AT_FDCWD, `/proc/self/fd/${fd}`, permissions(inode));
    utimensHandle(fd, inode.atime, inode.mtime);
  } finally {
    closeFd(fd);
  }
}

/** What of an inode a name gets that is no file and no folder. */
export type NodeOwner = Pick<Inode, 'mode' | 'uid' | 'gid' | 'atime' | 'mtime'>;
