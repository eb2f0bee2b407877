/**
 * Files inside a mounted container, reached as the container itself would reach them. Its image and its past runs decide
 * what is there: every lookup goes through openat2(2) with RESOLVE_IN_ROOT, so that no link, relative or absolute, leads
 * out, and none of procfs' magic links is followed.
 */
import { readSync } from 'node:fs';
import { posix } from 'node:path';
import { hasErrno, TsengineError } from '../../errors.ts';
import {
  closeFd,
  lchownAt,
  mkdirAt,
  O_DIRECTORY,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  openAt,
  openAt2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  readlinkAt,
} from '../../linux/at.ts';
import { AT_FDCWD, fstat, S_IFDIR, S_IFMT, S_IFREG } from '../../linux/stat.ts';

const WALK = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
/** More than any passwd or group file; a larger one is read this far. Bytes. */
const MAX_FILE = 16 * 1024 * 1024;
/** As many as the kernel follows. Source: path_resolution(7). */
const MAX_LINKS = 40;

function nameTooLong(path: string, cause: unknown): TsengineError {
  return new TsengineError(
    'InvalidParameter',
    `cannot use the path ${path} in the container: file name too long: a name may have 255 bytes, and a whole path 4095`,
    { cause },
  );
}

/** An open root. Dispose of it. */
export class RootFilesystem implements Disposable {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openAt(AT_FDCWD, path, O_PATH | O_DIRECTORY);
  }

  [Symbol.dispose](): void {
    closeFd(this.#fd);
  }

  /** The contents of a plain file; `undefined` when there is none of that name, or it is something else. */
  read(path: string): Buffer | undefined {
    // Without O_NONBLOCK a fifo would make us wait for a writer.
    const fd = this.#open(path, O_RDONLY | O_NONBLOCK);
    if (fd === undefined) return undefined;
    try {
      const { mode, size } = fstat(fd);
      if ((mode & S_IFMT) !== S_IFREG) return undefined;
      const buffer = Buffer.alloc(Math.min(size, MAX_FILE));
      let done = 0;
      while (done < buffer.length) {
        const count = readSync(fd, buffer, done, buffer.length - done, done);
        if (count === 0) break;
        done += count;
      }
      return buffer.subarray(0, done);
    } finally {
      closeFd(fd);
    }
  }

  /** What is at the path, links followed. */
  kindOf(path: string): 'directory' | 'other' | undefined {
    const fd = this.#open(path, O_PATH);
    if (fd === undefined) return undefined;
    try {
      return (fstat(fd).mode & S_IFMT) === S_IFDIR ? 'directory' : 'other';
    } finally {
      closeFd(fd);
    }
  }

  /** An open descriptor of a directory, for the caller to close; `undefined` when there is none. */
  openDirectory(path: string): number | undefined {
    return this.#open(path, O_RDONLY | O_DIRECTORY);
  }

  /**
   * Makes a directory with its parents, mode 0755 and root's, as Docker does for a working directory. Where a link points
   * to what does not exist, that is made. Fails with `Cannot mkdir: … is not a directory`.
   */
  makeDirectories(path: string): void {
    try {
      this.#makeDirectories(path);
    } catch (error) {
      throw hasErrno(error, 'ENAMETOOLONG') ? nameTooLong(path, error) : error;
    }
  }

  #makeDirectories(path: string): void {
    let links = 0;
    const make = (target: string): void => {
      const kind = this.kindOf(target);
      if (kind === 'directory') return;
      if (kind === 'other') throw new TsengineError('System', `Cannot mkdir: ${path} is not a directory`);
      const { dir, base } = posix.parse(target);
      make(dir);
      const parent = this.#open(dir, O_PATH | O_DIRECTORY);
      if (parent === undefined) throw new TsengineError('System', `Cannot mkdir: ${path}: ${dir} has gone`);
      try {
        mkdirAt(parent, base, 0o755);
        // In a directory with the set-group-ID bit it has that one's group.
        lchownAt(parent, base, 0, 0);
      } catch (error) {
        links += 1;
        if (!hasErrno(error, 'EEXIST') || links > MAX_LINKS) throw error;
        // The name is there and leads nowhere: a link.
        make(posix.resolve(dir, readlinkAt(parent, base).toString()));
      } finally {
        closeFd(parent);
      }
    };
    make(posix.resolve('/', path));
  }

  #open(path: string, flags: number): number | undefined {
    try {
      return openAt2(this.#fd, path, flags, WALK);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) return undefined;
      throw hasErrno(error, 'ENAMETOOLONG') ? nameTooLong(path, error) : error;
    }
  }
}
