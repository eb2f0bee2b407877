import { setImmediate } from 'node:timers/promises';
import {
  chmodAt,
  closeFd,
  fchmod,
  fchown,
  futimens,
  lchownAt,
  linkAt,
  mkdirAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  openAt,
  openUnmarked,
  readlinkAt,
  symlinkAt,
  utimensAt,
} from '../../linux/at.ts';
import { namesIn } from '../../linux/directory-names.ts';
import { SyscallError } from '../../linux/errno.ts';
import {
  AT_FDCWD,
  type FileStat,
  fstat,
  lstatAt,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../../linux/stat.ts';
import { fgetxattr, flistxattr, fsetxattr, lgetxattr, llistxattr, lsetxattr } from '../../linux/xattr.ts';
import { childPath, viaFd } from '../directory.ts';
import { ContentCopier } from './copy-file.ts';

/** How long, in milliseconds, the copy works before it lets the rest of the process run. */
const SLICE = 20;

/**
 * Copies the tree `from` into the directory `to`, which exists and is empty: contents (shared blocks where the
 * filesystem can), types, modes, owners, extended attributes, times to the nanosecond, hard links, device nodes, holes.
 * The directory `to` gets the attributes of `from`. A crash or an error leaves part of the copy.
 */
export async function copyTree(from: string, to: string): Promise<void> {
  const source = openUnmarked(AT_FDCWD, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const target = openAt(AT_FDCWD, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      await new TreeCopy(from, target).directory(source, target, Buffer.alloc(0));
    } finally {
      closeFd(target);
    }
  } finally {
    closeFd(source);
  }
}

class TreeCopy {
  readonly #from: Buffer;
  readonly #root: number;
  readonly #copier = new ContentCopier();
  /** Where in the copy the first name of a file with several is, by its inode in the source. */
  readonly #links = new Map<bigint, Buffer>();
  #sliceEnd = performance.now() + SLICE;

  constructor(from: string, root: number) {
    this.#from = Buffer.from(from);
    this.#root = root;
  }

  /** Copies what is in an open directory, and then its own attributes: everything made in it changes its times. */
  async directory(source: number, target: number, path: Buffer): Promise<void> {
    for (const name of namesIn(source)) {
      const child = childPath(path, name);
      try {
        const stat = lstatAt(source, name);
        if ((stat.mode & S_IFMT) === S_IFDIR) await this.#subdirectory(source, target, name, child);
        else this.#leaf(source, target, name, stat, child);
      } catch (error) {
        throw this.#named(error, child);
      }
      if (performance.now() >= this.#sliceEnd) {
        await setImmediate();
        this.#sliceEnd = performance.now() + SLICE;
      }
    }
    try {
      copyOpen(source, target, fstat(source));
    } catch (error) {
      throw this.#named(error, path);
    }
  }

  /** A failed call with the whole path of what was being copied, which calls on open files do not know. */
  #named(error: unknown, path: Buffer): unknown {
    if (!(error instanceof SyscallError)) return error;
    const known = error.path?.toString() ?? '';
    if (known.startsWith('/') && !known.startsWith('/proc/self/fd/')) return error;
    const { syscall, code, errno } = error;
    const subject = { path: Buffer.concat([this.#from, path]) };
    return new SyscallError(syscall, code.startsWith('E') ? code : errno, subject, error);
  }

  async #subdirectory(source: number, target: number, name: Buffer, path: Buffer): Promise<void> {
    const from = openUnmarked(source, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      mkdirAt(target, name, 0o700);
      const to = openAt(target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      try {
        await this.directory(from, to, path);
      } finally {
        closeFd(to);
      }
    } finally {
      closeFd(from);
    }
  }

  #leaf(source: number, target: number, name: Buffer, stat: FileStat, path: Buffer): void {
    if (stat.nlink > 1) {
      const first = this.#links.get(stat.ino);
      if (first !== undefined) {
        linkAt(this.#root, first, target, name);
        return;
      }
      this.#links.set(stat.ino, path.subarray(1));
    }
    switch (stat.mode & S_IFMT) {
      case S_IFREG:
        this.#regular(source, target, name, stat);
        return;
      case S_IFLNK:
        symlinkAt(readlinkAt(source, name), target, name);
        break;
      default:
        mknodAt(target, name, (stat.mode & S_IFMT) | 0o600, stat.rdevMajor, stat.rdevMinor);
    }
    this.#unopened(source, target, name, stat);
  }

  #regular(source: number, target: number, name: Buffer, stat: FileStat): void {
    const from = openUnmarked(source, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const to = openAt(target, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      try {
        this.#copier.copy(from, to, stat);
        copyOpen(from, to, stat);
      } finally {
        closeFd(to);
      }
    } finally {
      closeFd(from);
    }
  }

  /** Attributes of what cannot be opened. */
  #unopened(source: number, target: number, name: Buffer, stat: FileStat): void {
    lchownAt(target, name, stat.uid, stat.gid);
    copyXattrs(viaFd(source, name), viaFd(target, name));
    if ((stat.mode & S_IFMT) !== S_IFLNK) chmodAt(target, name, stat.mode & 0o7777);
    utimensAt(target, name, stat.atime, stat.mtime);
  }
}

/** Attributes of an open file or directory. The owner comes first: changing it takes setuid and capabilities away. */
function copyOpen(from: number, to: number, stat: FileStat): void {
  fchown(to, stat.uid, stat.gid);
  for (const name of flistxattr(from)) {
    const value = fgetxattr(from, name);
    if (value !== undefined) fsetxattr(to, name, value);
  }
  fchmod(to, stat.mode & 0o7777);
  futimens(to, stat.atime, stat.mtime);
}

function copyXattrs(from: Buffer, to: Buffer): void {
  for (const name of llistxattr(from)) {
    const value = lgetxattr(from, name);
    if (value !== undefined) lsetxattr(to, name, value);
  }
}
