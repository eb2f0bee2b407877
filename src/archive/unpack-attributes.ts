import { errorMessage } from '../errors.ts';
import { chmodAt, fchmod, fchown, futimens, lchownAt, type SetTime, utimensAt } from '../linux/at.ts';
import { type FileStat, lstatAt, S_IFLNK, S_IFMT } from '../linux/stat.ts';
import { fsetxattr, llistxattr, lremovexattr, lsetxattr } from '../linux/xattr.ts';
import { printableMember } from './fail.ts';
import type { TarEntry } from './types.ts';
import { latin1 } from './unpack-name.ts';
import { failedWith } from './unpack-tree.ts';
import { isFilesystemXattr, isLayerXattr, isOverlayXattr } from './whiteouts.ts';

/** An ACL for what will be made in a directory: set at the very end, or our own files would inherit it. */
export const DEFAULT_ACL = 'system.posix_acl_default';

/** The name below an open directory as a path, for the calls that take no directory. */
export function procPath(dirfd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${dirfd}/`), name]);
}

/** The access time that a member gets: Docker's rule, never before the time of the last change. */
export function accessTime(entry: TarEntry): SetTime {
  const { atime, mtime } = entry;
  if (atime === undefined) return mtime;
  return atime.sec < mtime.sec || (atime.sec === mtime.sec && atime.nsec < mtime.nsec) ? mtime : atime;
}

/**
 * Gives unpacked files their attributes. The order matters: chown takes setuid bits and file capabilities away, an ACL
 * changes the mode, and everything but the times changes nothing of the times.
 */
export class Attributes {
  #lost = 0;
  #firstLost = '';

  /** For an open file or directory; all but the times of a directory, which change as it is filled. */
  setOpen(fd: number, entry: TarEntry): void {
    fchown(fd, entry.uid, entry.gid);
    fchmod(fd, entry.mode);
    if (entry.xattrs.size > 0) this.#xattrs(entry, (name, value) => fsetxattr(fd, name, value));
    if (entry.type !== 'directory') futimens(fd, accessTime(entry), entry.mtime);
  }

  /** For what cannot be opened without effects: links, pipes and devices. */
  setNamed(dirfd: number, name: Buffer, entry: TarEntry): void {
    lchownAt(dirfd, name, entry.uid, entry.gid);
    if (entry.type !== 'symlink') chmodAt(dirfd, name, entry.mode);
    this.#setNamedXattrs(dirfd, name, entry);
    utimensAt(dirfd, name, accessTime(entry), entry.mtime);
  }

  /**
   * For a file that got one more name: its member may say otherwise than the file's own did, and the last one counts.
   * What is the same already is not set again, because chown would take file capabilities away. Only the owner of a
   * symbolic link is changed.
   */
  setLinked(dirfd: number, name: Buffer, entry: TarEntry, stat: FileStat): void {
    if (stat.uid !== entry.uid || stat.gid !== entry.gid) lchownAt(dirfd, name, entry.uid, entry.gid);
    if ((stat.mode & S_IFMT) === S_IFLNK) return;
    if ((lstatAt(dirfd, name).mode & 0o7777) !== entry.mode) chmodAt(dirfd, name, entry.mode);
    this.#setNamedXattrs(dirfd, name, entry);
    utimensAt(dirfd, name, accessTime(entry), entry.mtime);
  }

  /** Takes from a directory of a lower layer what the member that now describes it does not have. */
  removeOthers(dirfd: number, name: Buffer, entry: TarEntry): void {
    const path = procPath(dirfd, name);
    for (const attribute of llistxattr(path)) {
      const key = attribute.toString('latin1');
      if (isLayerXattr(key) && !entry.xattrs.has(key)) lremovexattr(path, attribute);
    }
  }

  /** One line on the extended attributes that were not kept, if there were any. */
  warnings(): string[] {
    if (this.#lost === 0) return [];
    const others = this.#lost === 1 ? '' : ` (and ${this.#lost - 1} more like it)`;
    return [`ignored extended attribute ${this.#firstLost}${others}`];
  }

  #setNamedXattrs(dirfd: number, name: Buffer, entry: TarEntry): void {
    if (entry.xattrs.size === 0) return;
    const path = procPath(dirfd, name);
    this.#xattrs(entry, (attribute, value) => lsetxattr(path, attribute, value));
  }

  #xattrs(entry: TarEntry, set: (name: Buffer, value: Buffer) => void): void {
    for (const [key, value] of entry.xattrs) {
      if (isOverlayXattr(key) || key === DEFAULT_ACL) continue;
      if (isFilesystemXattr(key)) {
        this.lost(entry, key, new Error('operation not supported'));
        continue;
      }
      try {
        set(latin1(key), value);
      } catch (error) {
        // As in Docker: a filesystem without them, a kind of file that has none, a user namespace that forbids them.
        if (!failedWith(error, 'EOPNOTSUPP', 'EPERM')) throw error;
        this.lost(entry, key, error);
      }
    }
  }

  /** Notes an attribute that could not be kept. */
  lost(entry: Pick<TarEntry, 'name'>, key: string, error: unknown): void {
    if (this.#lost++ > 0) return;
    const reason = errorMessage(error).replace(/^.*: /, '');
    this.#firstLost = `${printableMember(latin1(key))} of "${printableMember(entry.name)}": ${reason}`;
  }
}
