/**
 * How a layer appears and disappears in one step. A new layer is built in the folder `.tsengine` of the driver's home
 * and renamed to its id; one that is removed is renamed into that folder and deleted there. Docker opens a home with
 * that folder in it and does not look inside.
 *
 * Whoever works there holds the folder's lock, shared; `sweep` deletes what a killed process left, and only while
 * nobody holds it. A crash leaves names in the folder and nothing else.
 */
import { lstatSync } from 'node:fs';
import { errorMessage, hasErrno } from '../errors.ts';
import { RENAME_NOREPLACE, renameAt2 } from '../linux/at.ts';
import { listDirectory, makeDirectories, pathExists, removeDirectory, removeFile } from '../linux/files.ts';
import { type Lock, lockFile, tryLockFile } from '../linux/flock.ts';
import { AT_FDCWD } from '../linux/stat.ts';

/** The folder's name, in each driver's home. */
export const STAGED_FOLDER = '.tsengine';
/** The lock file in it. */
const LOCK = 'lock';

let sequence = 0;

/** A driver's staging folder. */
export class Staging {
  readonly path: string;

  /** `home` is the driver's folder; the staging folder is made in it when first needed. */
  constructor(home: string) {
    this.path = `${home}/${STAGED_FOLDER}`;
  }

  /** Keeps `sweep` away until released, in this and in every other process. */
  async hold(): Promise<Lock> {
    if (!pathExists(this.path)) makeDirectories(this.path, 0o700);
    return await lockFile(`${this.path}/${LOCK}`, 'shared');
  }

  /** The same, waiting on this thread: for a moment's work, where nothing can be awaited. */
  holdNow(): Lock {
    if (!pathExists(this.path)) makeDirectories(this.path, 0o700);
    for (;;) {
      const lock = tryLockFile(`${this.path}/${LOCK}`, 'shared');
      if (lock !== undefined) return lock;
      // Only a sweep keeps it for itself, and that deletes a few files.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }

  /** A path in the folder that nothing has, for the layer `id`. To be used only while `hold` is in force. */
  name(id: string): string {
    for (;;) {
      const path = `${this.path}/${id}.${process.pid}.${sequence++}`;
      if (!pathExists(path)) return path;
    }
  }

  /** Renames what was built to its place. False, and nothing is changed, when the place is taken. */
  publish(built: string, target: string): boolean {
    try {
      renameAt2(AT_FDCWD, built, AT_FDCWD, target, RENAME_NOREPLACE);
      return true;
    } catch (error) {
      if (hasErrno(error, 'EEXIST', 'ENOTEMPTY')) return false;
      // A filesystem that does not know the flag: a rename onto a directory with something in it fails as well.
      if (!hasErrno(error, 'EINVAL')) throw error;
      if (pathExists(target)) return false;
      renameAt2(AT_FDCWD, built, AT_FDCWD, target);
      return true;
    }
  }

  /**
   * Renames the layer `id` at `path` into the folder and gives where it is now; `undefined` when it is not there. On a
   * filesystem too full for a rename it stays where it is, to be deleted there: that must work, or nothing ever would.
   */
  takeAway(path: string, id: string): string | undefined {
    const away = this.name(id);
    try {
      renameAt2(AT_FDCWD, path, AT_FDCWD, away);
      return away;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      if (hasErrno(error, 'ENOSPC', 'EDQUOT')) return path;
      throw error;
    }
  }

  /**
   * Deletes with `discard` all that killed processes left; does nothing while somebody works in the folder. What cannot be
   * deleted is told to `warn` and stays: it is in nobody's way.
   */
  sweep(discard: (path: string) => void, warn: (message: string) => void): void {
    if (this.#leftovers().length === 0) return;
    using lock = tryLockFile(`${this.path}/${LOCK}`, 'exclusive');
    if (lock === undefined) return;
    for (const name of this.#leftovers()) {
      const path = `${this.path}/${name}`;
      try {
        discard(path);
      } catch (error) {
        warn(stays(path, error));
      }
    }
  }

  /** The same, for what takes its time to delete. */
  async sweepAsync(discard: (path: string) => Promise<void>, warn: (message: string) => void): Promise<void> {
    if (this.#leftovers().length === 0) return;
    using lock = tryLockFile(`${this.path}/${LOCK}`, 'exclusive');
    if (lock === undefined) return;
    for (const name of this.#leftovers()) {
      const path = `${this.path}/${name}`;
      await discard(path).catch((error: unknown) => warn(stays(path, error)));
    }
  }

  /** Removes the folder if nothing is in it. */
  unmake(): void {
    if (!pathExists(this.path) || this.#leftovers().length > 0) return;
    removeFile(`${this.path}/${LOCK}`);
    removeDirectory(this.path);
  }

  #leftovers(): string[] {
    return listDirectory(this.path).filter((name) => name !== LOCK);
  }
}

/** Whether `path` is a directory; a symbolic link to one is not. Loads no foreign code: opening a driver asks this. */
export function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function stays(path: string, error: unknown): string {
  return `${path}, of a layer that was removed or never done, cannot be deleted: ${errorMessage(error)}; it is tried again`;
}
