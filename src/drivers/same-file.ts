import { isLayerXattr } from '../archive/whiteouts.ts';
import { closeFd, O_NOFOLLOW, O_RDONLY, openUnmarked, readlinkAt } from '../linux/at.ts';
import { readInto } from '../linux/files.ts';
import { type FileStat, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../linux/stat.ts';
import { lgetxattr, llistxattr } from '../linux/xattr.ts';
import { viaFd } from './directory.ts';

const PIECE = 65_536;

/** One file of one of two trees that are compared. */
export interface Side {
  /** The open directory it is in. */
  readonly fd: number;
  readonly name: Buffer;
  readonly stat: FileStat;
}

/**
 * Whether two files say the same of themselves: type, permissions, owner, device numbers, extended attributes, and for
 * all but directories size and modification time to the nanosecond. Docker compares the same, with file capabilities
 * for all attributes. Contents are not read: whoever changes them and puts the time back is not found out.
 */
export function sameAttributes(a: Side, b: Side): boolean {
  return sameStat(a.stat, b.stat) && sameTarget(a, b) && sameXattrs(a, b);
}

/** The same, as far as it can be told without asking for more. */
export function sameStat(a: FileStat, b: FileStat): boolean {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  const type = a.mode & S_IFMT;
  // The times and sizes of directories follow from what is in them, which is compared by itself.
  if (type === S_IFDIR) return true;
  if (type === S_IFCHR || type === S_IFBLK) {
    if (a.rdevMajor !== b.rdevMajor || a.rdevMinor !== b.rdevMinor) return false;
  }
  return a.size === b.size && sameTime(a.mtime, b.mtime);
}

/** To the nanosecond. */
export function sameTime(a: FileStat['ctime'], b: FileStat['ctime']): boolean {
  return a.sec === b.sec && a.nsec === b.nsec;
}

function sameTarget(a: Side, b: Side): boolean {
  if ((a.stat.mode & S_IFMT) !== S_IFLNK) return true;
  return readlinkAt(a.fd, a.name).equals(readlinkAt(b.fd, b.name));
}

function sameXattrs(a: Side, b: Side): boolean {
  const pathA = viaFd(a.fd, a.name);
  const pathB = viaFd(b.fd, b.name);
  const namesA = layerXattrs(pathA);
  const namesB = layerXattrs(pathB);
  if (namesA.length !== namesB.length) return false;
  return namesA.every((name, index) => {
    if (namesB[index]?.equals(name) !== true) return false;
    const value = lgetxattr(pathA, name);
    const other = lgetxattr(pathB, name);
    return value !== undefined && other !== undefined && value.equals(other);
  });
}

function layerXattrs(path: Buffer): Buffer[] {
  return llistxattr(path).filter((name) => isLayerXattr(name.toString('latin1')));
}

/**
 * Whether two regular files of the same attributes hold the same bytes; other files do. Asked where attributes cannot tell, which
 * is rare: of a file that was copied up and then not written, or written and its time put back.
 */
export function sameContent(a: Side, b: Side): boolean {
  if ((a.stat.mode & S_IFMT) !== S_IFREG) return true;
  return withFile(a, (fdA) => withFile(b, (fdB) => sameBytes(fdA, fdB)));
}

function sameBytes(fdA: number, fdB: number): boolean {
  const [bufferA, bufferB] = [Buffer.alloc(PIECE), Buffer.alloc(PIECE)];
  for (;;) {
    const lengthA = readInto(fdA, bufferA, 0, PIECE, null);
    const lengthB = readInto(fdB, bufferB, 0, PIECE, null);
    if (lengthA !== lengthB || bufferA.compare(bufferB, 0, lengthB, 0, lengthA) !== 0) return false;
    if (lengthA === 0) return true;
  }
}

function withFile<T>(side: Side, run: (fd: number) => T): T {
  const fd = openUnmarked(side.fd, side.name, O_RDONLY | O_NOFOLLOW);
  try {
    return run(fd);
  } finally {
    closeFd(fd);
  }
}
