/**
 * How often a layer is mounted, counted over all processes that share a data root.
 *
 * For each mounted layer there is a file `mounts/<id>` in the driver's run folder; its **size is the count**: one more
 * user appends a byte, one less cuts one off, and both are a single system call that a kill cannot tear. A lock file
 * `locks/<id>` orders the processes.
 *
 * The mount itself is the truth: a count without a mount is void (a reboot, a new mount namespace, a kill before the
 * mount or after the unmount), and a mount without a count is nobody's (a kill between the last release and its
 * unmount) and is taken over by the next user or unmounted by the next release. After a kill at any instruction the
 * worst is a count that is too high, which `forget` takes back.
 */
import { closeSync, realpathSync } from 'node:fs';
import { hasErrno } from '../errors.ts';
import { listDirectory, makeDirectories, openFile, removeFile, writeAll } from '../linux/files.ts';
import { type Lock, lockFile, tryLockFile } from '../linux/flock.ts';
import { findMountAt } from '../linux/mountinfo.ts';
import { ftruncate } from '../linux/space.ts';
import { type FileStat, fstat, lstat } from '../linux/stat.ts';
import { statfs } from '../linux/statfs.ts';
import type { MountedLayer } from './driver.ts';

/** A mount that can be made and taken back. */
export interface CountedMount {
  /** Absolute path of the mount point. */
  readonly path: string;
  /** Makes the mount point and mounts. When it throws, nothing is mounted and the mount point is gone. */
  mount(): void | Promise<void>;
  /** Unmounts and removes the mount point, as far as they are there. */
  unmount(): void;
  /**
   * Whether the mount is there and its filesystem has shut down (see `hasShutDown`), for those whose filesystem a new mount brings
   * back: the next user gets one, whoever is still counted.
   */
  hasShutDown?(): boolean;
  /** Told when the mount was found dead, without its FUSE daemon or shut down, and is made anew. */
  died?(): void;
}

const ONE = Buffer.from('.');

/** The counts of one driver on one data root. */
export class MountCounter {
  readonly #counts: string;
  readonly #locks: string;
  #made = false;

  /** `runHome` is on tmpfs where there is one; nothing depends on it. */
  constructor(runHome: string) {
    this.#counts = `${runHome}/mounts`;
    this.#locks = `${runHome}/locks`;
  }

  /**
   * Mounts, or counts one more user of what is mounted. Counted first, so that a full disk is noticed while nothing is
   * mounted yet; a count that a kill leaves without its mount is void.
   */
  async acquire(id: string, point: CountedMount): Promise<void> {
    using _lock = await this.lock(id);
    const dead = unmountsDead(point);
    const mounted = !dead && isMountPoint(point.path);
    const fd = openFile(this.#file(id), 'a');
    try {
      const users = fstat(fd).size;
      // Who had a dead mount still counts: they will release it, and it is another user's by then.
      if (!mounted && !dead && users > 0) ftruncate(fd, 0);
      writeAll(fd, ONE);
      if (!mounted) await point.mount();
    } catch (error) {
      if (!mounted) removeFile(this.#file(id));
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** The same, as what `get` gives: disposing of it is the one release. `path` is where in the mount the layer is. */
  async mounted(id: string, point: CountedMount, path = point.path): Promise<MountedLayer> {
    await this.acquire(id, point);
    let released = false;
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        if (released) return;
        released = true;
        await this.release(id, point);
      },
    };
  }

  /**
   * Mounts for somebody who is alone with the layer: everybody else waits for its lock until this is disposed of. Nobody is
   * counted, so that letting go takes no file that a full disk could refuse, and a kill leaves a mount that nobody counts. What
   * others have mounted stays mounted.
   */
  async alone(id: string, point: CountedMount, path = point.path): Promise<MountedLayer> {
    const lock = await this.lock(id);
    try {
      const dead = unmountsDead(point);
      if (dead || !isMountPoint(point.path)) {
        // A count is void without its mount, and would count for the new one.
        if (!dead) removeFile(this.#file(id));
        await point.mount();
      }
    } catch (error) {
      lock.release();
      throw error;
    }
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        using _lock = lock;
        if (isMountPoint(point.path) && this.#size(id) === 0) point.unmount();
      },
    };
  }

  /** One user less; the last one unmounts, and so does one too many that finds a mount nobody counts. */
  async release(id: string, point: CountedMount): Promise<void> {
    using _lock = await this.lock(id);
    if (!isMountPoint(point.path)) {
      // A kill between the mount point and the mount.
      if (statIfAny(point.path) !== undefined) point.unmount();
      return removeFile(this.#file(id));
    }
    const users = this.#size(id);
    if (users > 1) this.#cut(id, users - 1);
    else {
      // In this order: a count without its mount is void, and a mount that nobody counts would stay.
      point.unmount();
      this.#clear(id);
    }
  }

  /**
   * How many users a mount has. A mount that nobody counts is unmounted first. To be called with the layer's lock held,
   * so that the answer stays true.
   */
  settle(id: string, point: CountedMount): number {
    if (!isMountPoint(point.path)) {
      removeFile(this.#file(id));
      return 0;
    }
    const users = this.#size(id);
    if (users === 0) point.unmount();
    return users;
  }

  /** Orders everything that is done to one layer's mount, over all processes. */
  async lock(id: string): Promise<Lock> {
    this.#makeFolders();
    return await lockFile(`${this.#locks}/${id}`, 'exclusive', { ephemeral: true });
  }

  /** The same if nobody holds it; `undefined` when somebody does. */
  tryLock(id: string): Lock | undefined {
    this.#makeFolders();
    return tryLockFile(`${this.#locks}/${id}`, 'exclusive', { ephemeral: true });
  }

  #makeFolders(): void {
    if (this.#made) return;
    makeDirectories(this.#counts, 0o700);
    makeDirectories(this.#locks, 0o700);
    this.#made = true;
  }

  /** Forgets all counts, and removes what killed processes left. */
  forget(): void {
    for (const name of listDirectory(this.#counts)) removeFile(`${this.#counts}/${name}`);
    this.sweep();
  }

  /** Removes the lock files that killed processes left; one that somebody holds stays. One directory listing when there is none. */
  sweep(): void {
    for (const name of listDirectory(this.#locks)) {
      tryLockFile(`${this.#locks}/${name}`, 'exclusive', { ephemeral: true })?.release();
    }
  }

  #file(id: string): string {
    return `${this.#counts}/${id}`;
  }

  #size(id: string): number {
    try {
      return lstat(this.#file(id)).size;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return 0;
      throw error;
    }
  }

  /** Without its mount a count is void. Where its file cannot be removed it says so by its size. */
  #clear(id: string): void {
    try {
      removeFile(this.#file(id));
    } catch {
      this.#cut(id, 0);
    }
  }

  #cut(id: string, size: number): void {
    const fd = openFile(this.#file(id), 'r+');
    try {
      ftruncate(fd, size);
    } finally {
      closeSync(fd);
    }
  }
}

function statIfAny(path: string): FileStat | undefined {
  try {
    return lstat(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/**
 * Whether a filesystem of its own is mounted at `path`: its device differs from that of the folder it is in. Two
 * lstat calls, however many mounts the machine has. Bind mounts are not seen, and no driver makes any. A FUSE mount whose
 * daemon died is one still, and so is that of a filesystem that has shut down.
 */
export function isMountPoint(path: string): boolean {
  let point: FileStat | undefined;
  try {
    point = statIfAny(path);
  } catch (error) {
    if (hasErrno(error, 'ENOTCONN') || (saysShutDown(error) && isInMountTable(path))) return true;
    throw error;
  }
  const folder = statIfAny(path.slice(0, path.lastIndexOf('/')) || '/');
  if (point === undefined || folder === undefined) return false;
  return point.devMajor !== folder.devMajor || point.devMinor !== folder.devMinor;
}

/**
 * Whether a filesystem is mounted at `path` that refuses everything, its root too: xfs does once it has shut down, after an error
 * that it could not go on from. It can be unmounted. One lstat where all is well.
 */
export function hasShutDown(path: string): boolean {
  try {
    lstat(path);
    return false;
  } catch (error) {
    return saysShutDown(error) && isInMountTable(path);
  }
}

function saysShutDown(error: unknown): boolean {
  return hasErrno(error, 'EIO', 'ESHUTDOWN', 'EUCLEAN');
}

/** Asks the kernel's list, where the mount point itself gives no answer: the folder that it is in may be what is broken. */
function isInMountTable(path: string): boolean {
  const slash = path.lastIndexOf('/');
  const folder = realpathSync.native(path.slice(0, slash) || '/');
  return findMountAt(`${folder === '/' ? '' : folder}${path.slice(slash)}`) !== undefined;
}

/** Unmounts a mount that is dead, whoever counts: nothing can be had from it any more. Gives whether it was. */
function unmountsDead(point: CountedMount): boolean {
  if (!isDeadMount(point.path) && point.hasShutDown?.() !== true) return false;
  point.died?.();
  point.unmount();
  return true;
}

/** Whether a FUSE filesystem is mounted at `path` whose daemon died: all that is asked of it fails, but for what the kernel remembers. */
export function isDeadMount(path: string): boolean {
  try {
    statfs(path);
    return false;
  } catch (error) {
    return hasErrno(error, 'ENOTCONN');
  }
}
