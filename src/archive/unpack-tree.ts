import { TsengineError } from '../errors.ts';
import {
  closeFd,
  fchmod,
  fchown,
  mkdirAt,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  openAt,
  openAt2,
  RESOLVE_IN_ROOT,
  unlinkAt,
} from '../linux/at.ts';
import { SyscallError } from '../linux/errno.ts';
import { removeTreeAt } from '../linux/remove-tree.ts';
import { AT_FDCWD, type FileStat, lstatIfAny, S_IFDIR, S_IFLNK, S_IFMT } from '../linux/stat.ts';
import type { LayerMarks } from './unpack-marks.ts';
import { latin1, refusal } from './unpack-name.ts';

/** Open directories that are kept; a layer's members mostly come directory by directory. */
const CACHED = 64;
/** How often a walk is tried again that a rename elsewhere on the machine made uncertain. */
const RETRIES = 10_000;
/** What Docker gives directories that a layer leaves out (0777 less dockerd's umask). */
const MADE_MODE = 0o755;

/** What a `LayerTree` is told. */
export interface LayerTreeOptions {
  /** How whiteouts are kept in the layer; absent where lower layers' files are removed at once. */
  readonly marks?: LayerMarks | undefined;
  /** Called with each directory that is made because a layer left it out, `fd` open for reading. */
  readonly onMade?: (dirfd: number, name: Buffer, fd: number) => void;
}

/** Whether a call failed with one of these errors. */
export function failedWith(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof SyscallError && codes.includes(error.code);
}

/** Whether it is a directory. */
export function isDirectory(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

/**
 * The directory a layer is unpacked into. Directories inside are opened by the kernel with openat2(2) and
 * `RESOLVE_IN_ROOT`: symbolic links are followed as a process confined to the layer would (as Docker's unpacking in a
 * chroot does), so that neither `..` nor an absolute link nor a link planted meanwhile leads out.
 *
 * Descriptors that it gives stay open until the next `begin`, whatever is removed or opened in between.
 */
export class LayerTree {
  /** The layer's root, open for reading. */
  readonly rootFd: number;
  readonly #options: LayerTreeOptions;
  /** By path as it was asked for; the least recently used first. */
  readonly #open = new Map<string, number>();
  readonly #retired: number[] = [];

  constructor(target: string, options: LayerTreeOptions = {}) {
    this.rootFd = openAt(AT_FDCWD, target, O_RDONLY | O_DIRECTORY);
    this.#options = options;
  }

  /** A member begins: descriptors given before may be closed. */
  begin(): void {
    for (let fd = this.#retired.pop(); fd !== undefined; fd = this.#retired.pop()) closeFd(fd);
  }

  /** The directory `path`, for the `…At` calls; made with all its parents when it is not there. */
  directory(member: Buffer, path: string): number {
    const found = this.find(member, path);
    if (found !== undefined) return found;
    const fd = this.#make(member, path);
    this.keep(path, fd);
    return fd;
  }

  /** The directory `path`, for the `…At` calls, if there is one. */
  find(member: Buffer, path: string): number | undefined {
    if (path === '') return this.rootFd;
    const cached = this.#open.get(path);
    if (cached !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, cached);
      return cached;
    }
    try {
      const fd = this.#openIn(path, O_PATH | O_DIRECTORY);
      this.keep(path, fd);
      return fd;
    } catch (error) {
      if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw explained(member, error);
    }
  }

  /** The directory `path` itself, open for reading; `undefined` when there is none or the name is something else. Close it. */
  openExisting(path: string): number | undefined {
    try {
      return this.#openIn(path === '' ? '.' : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    } catch (error) {
      if (failedWith(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
      throw error;
    }
  }

  /** Takes over an open directory, so that the members in it find it. */
  keep(path: string, fd: number): void {
    const before = this.#open.get(path);
    if (before !== undefined) this.#retired.push(before);
    this.#open.delete(path);
    this.#open.set(path, fd);
    if (this.#open.size <= CACHED) return;
    for (const [oldest, old] of this.#open) {
      this.#open.delete(oldest);
      this.#retired.push(old);
      return;
    }
  }

  /** Removes what `name` is, a directory with all that is in it. */
  remove(dirfd: number, name: Buffer, stat: FileStat): void {
    const type = stat.mode & S_IFMT;
    if (type === S_IFDIR) removeTreeAt(dirfd, name);
    else unlinkAt(dirfd, name);
    // Only directories and symbolic links decide where a path leads.
    if (type === S_IFDIR || type === S_IFLNK) this.forget();
  }

  /** Paths may lead elsewhere from now on. */
  forget(): void {
    for (const fd of this.#open.values()) this.#retired.push(fd);
    this.#open.clear();
  }

  /** Makes a directory that hides the whiteout of its name, if that is what the name was; its attributes are not set. */
  makeDirectory(dirfd: number, name: Buffer, before: FileStat | undefined): number {
    const { marks } = this.#options;
    const wasHidden = marks?.uncover(dirfd, name, before) === true;
    if (before !== undefined && !wasHidden) this.remove(dirfd, name, before);
    mkdirAt(dirfd, name, 0o700);
    const fd = openAt(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!wasHidden) return fd;
    // Removed and made again: what the lower directory of this name holds must stay hidden.
    try {
      marks?.makeOpaque(fd);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
    return fd;
  }

  /** Closes everything. */
  close(): void {
    this.forget();
    this.begin();
    closeFd(this.rootFd);
  }

  /** Opens a path inside the layer; relative to the root even when it begins with a slash. */
  #openIn(path: string, flags: number): number {
    const bytes = latin1(path);
    for (let tries = 0; ; tries++) {
      try {
        return openAt2(this.rootFd, bytes, flags, RESOLVE_IN_ROOT);
      } catch (error) {
        // EAGAIN: a `..` was walked while something was renamed on the machine, and the kernel cannot vouch for it.
        if (failedWith(error, 'EAGAIN') && tries < RETRIES) continue;
        throw error;
      }
    }
  }

  /** Makes what is missing of a path, from the deepest directory that is there. */
  #make(member: Buffer, path: string): number {
    let there = path.lastIndexOf('/');
    let fd = this.find(member, path.slice(0, Math.max(0, there)));
    for (; fd === undefined; fd = this.find(member, path.slice(0, Math.max(0, there)))) {
      there = path.lastIndexOf('/', there - 1);
    }
    const names = path.slice(there + 1).split('/');
    let made = this.#makeMissing(member, fd, latin1(names[0] ?? ''), true);
    for (const name of names.slice(1)) {
      const outer = made;
      try {
        made = this.#makeMissing(member, outer, latin1(name), false);
      } finally {
        closeFd(outer);
      }
    }
    return made;
  }

  #makeMissing(member: Buffer, dirfd: number, name: Buffer, mayBeThere: boolean): number {
    const before = mayBeThere ? lstatIfAny(dirfd, name) : undefined;
    if (before !== undefined && this.#options.marks?.isWhiteout(before) !== true) {
      const link = (before.mode & S_IFMT) === S_IFLNK;
      throw refusal(
        member,
        link ? 'a symbolic link in its path leads nowhere' : 'its parent is not a directory',
      );
    }
    const fd = this.makeDirectory(dirfd, name, before);
    try {
      fchown(fd, 0, 0);
      fchmod(fd, MADE_MODE);
      this.#options.onMade?.(dirfd, name, fd);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
    return fd;
  }
}

/** Puts the kernel's refusal to walk a path into words. */
function explained(member: Buffer, error: unknown): unknown {
  if (failedWith(error, 'ELOOP')) return refusal(member, 'its path is a loop of symbolic links');
  if (failedWith(error, 'ENAMETOOLONG')) return refusal(member, 'a symbolic link in its path is too long');
  if (failedWith(error, 'EXDEV'))
    return refusal(member, 'a symbolic link in its path leads out of the layer');
  if (failedWith(error, 'ENOSYS')) {
    const way = 'Linux 5.6 or newer, and a seccomp profile that knows the call';
    return new TsengineError('Unavailable', `layers are unpacked with openat2(2), which takes ${way}`);
  }
  return error;
}
