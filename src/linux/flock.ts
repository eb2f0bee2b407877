import { closeSync, existsSync, fstatSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno } from '../errors.ts';
import { SyscallError } from './errno.ts';
import { openFile, removeFile } from './files.ts';
import { declare } from './libc.ts';

const flockCall = declare('flock', 'int', ['int', 'int']);
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** A lock that is held. Releasing twice is harmless; the kernel releases it when the process dies. */
export interface Lock extends Disposable {
  /** Never fails: what was done under the lock is done, and a file that cannot be removed is left as after the end of the process. */
  release(): void;
  /** Releases it as the end of the process would: the file of an ephemeral lock stays, and says that nobody finished what it was taken for. */
  leave(): void;
}

/** How a lock is taken: one at a time, or together with others that only read. */
export type LockMode = 'exclusive' | 'shared';

/** Takes a lock on an open file if it is free. Gives whether it did. */
export function tryFlock(fd: number, mode: LockMode): boolean {
  try {
    flockCall(undefined, fd, (mode === 'exclusive' ? LOCK_EX : LOCK_SH) | LOCK_NB);
    return true;
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'EAGAIN') return false;
    throw error;
  }
}

class FileLock implements Lock {
  #fd: number | undefined;
  readonly #path: string | undefined;

  constructor(fd: number, path: string | undefined) {
    this.#fd = fd;
    this.#path = path;
  }

  release(): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    // Unlinked while still held: who waits for it sees that the name is another file now and opens anew.
    try {
      if (this.#path !== undefined && tryFlock(fd, 'exclusive')) removeFile(this.#path);
    } catch {
      // See `Lock`.
    } finally {
      closeSync(fd);
    }
  }

  leave(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

function isStill(fd: number, path: string): boolean {
  try {
    const named = statSync(path);
    const open = fstatSync(fd);
    return named.ino === open.ino && named.dev === open.dev;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Options of `lockFile`. */
export interface LockOptions {
  /** Remove the lock file when the last holder is done, for locks whose names come and go. */
  readonly ephemeral?: boolean;
}

/** How often a file is tried to be opened whose name others remove. */
const TRIES = 10;

/** Opens a lock's file, made when absent. A FUSE filesystem may find the file and then miss it, where another process just removed it. */
function openLock(path: string): number {
  for (let tries = 1; ; tries++) {
    try {
      return openFile(path, 'a+', 0o600);
    } catch (error) {
      if (tries === TRIES || !hasErrno(error, 'ENOENT') || !existsSync(dirname(path))) throw error;
    }
  }
}

/**
 * Takes the lock of the file `path`, made when absent (mode 0600), if it is free; `undefined` when somebody holds it. The file
 * is opened for reading and writing, because NFS takes a shared lock only on the one and an exclusive one only on the other.
 */
export function tryLockFile(path: string, mode: LockMode, options: LockOptions = {}): Lock | undefined {
  for (;;) {
    const fd = openLock(path);
    try {
      if (!tryFlock(fd, mode)) {
        closeSync(fd);
        return undefined;
      }
      if (isStill(fd, path)) return new FileLock(fd, options.ephemeral === true ? path : undefined);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  }
}

/** Takes the lock of the file `path`, waiting for it on a thread of the pool, so that this process goes on meanwhile. */
export async function lockFile(path: string, mode: LockMode, options: LockOptions = {}): Promise<Lock> {
  for (;;) {
    const free = tryLockFile(path, mode, options);
    if (free !== undefined) return free;
    const fd = openLock(path);
    try {
      await flockCall.async({ path }, fd, mode === 'exclusive' ? LOCK_EX : LOCK_SH);
      if (isStill(fd, path)) return new FileLock(fd, options.ephemeral === true ? path : undefined);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  }
}

/**
 * Takes the lock of an existing directory if it is free; `undefined` when somebody holds it. It stays the directory's when that
 * is renamed. NFS gives an exclusive lock only on what is open for writing, which a directory cannot be: there it is the lock
 * of a file in `aside`, named by the directory's inode, that goes when it is released.
 */
export function tryLockDirectory(path: string, mode: LockMode, aside: string): Lock | undefined {
  const fd = openFile(path, 'r');
  try {
    if (tryFlock(fd, mode)) return new FileLock(fd, undefined);
  } catch (error) {
    const { ino } = fstatSync(fd);
    closeSync(fd);
    if (!hasErrno(error, 'EBADF')) throw error;
    return tryLockFile(join(aside, `.lock-${ino}`), mode, { ephemeral: true });
  }
  closeSync(fd);
  return undefined;
}
