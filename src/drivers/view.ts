/**
 * A tree of several layers for reading alone, mounted by the driver that asks for it.
 *
 * The mount is opened and then detached at once: it has no place in the tree of mounts any more, lives as long as the
 * descriptor and goes with the process, however that ends. A kill in the few instructions before that leaves a mount in
 * `<run-home>/views/`, which the next command that opens the driver removes; a lock there says that nobody else is in those instructions.
 */
import { hasErrno } from '../errors.ts';
import { closeFd, O_DIRECTORY, O_RDONLY, openAt } from '../linux/at.ts';
import { listDirectory, makeDirectories, makeDirectory, removeDirectory } from '../linux/files.ts';
import { lockFile, tryLockFile } from '../linux/flock.ts';
import { MNT_DETACH, unmount } from '../linux/mount.ts';
import { randomBytes } from '../linux/random.ts';
import { AT_FDCWD, fstat, lstat } from '../linux/stat.ts';
import type { MountedLayer } from './driver.ts';
import { isMountPoint } from './mount-counter.ts';

/** Mounts a view at a folder, which is there and empty. */
export type MountView = (target: string) => void;

const LOCK = 'lock';

/** Opens a view. Its path is good in this process alone. */
export async function openView(runHome: string, mountView: MountView): Promise<MountedLayer> {
  const folder = `${runHome}/views`;
  makeDirectories(folder, 0o700);
  using _ = await lockFile(`${folder}/${LOCK}`, 'exclusive');
  for (const name of listDirectory(folder)) if (name !== LOCK) discard(`${folder}/${name}`);
  // A name that nobody had: a program that was started for an earlier view, by who died since, may mount late.
  const target = `${folder}/${process.pid}-${randomBytes(6).toString('hex')}`;
  makeDirectory(target, 0o700);
  let fd: number | undefined;
  try {
    mountView(target);
    fd = openAt(AT_FDCWD, target, O_RDONLY | O_DIRECTORY);
    discard(target);
    return heldOpen(fd);
  } catch (error) {
    if (fd === undefined) discard(target);
    else closeFd(fd);
    throw error;
  }
}

/**
 * Opens a layer for reading: by the mount at `point` where there is one, which then stays for whoever has it open, else by
 * a view.
 */
export async function openToRead(
  runHome: string,
  point: string,
  mountView: MountView,
): Promise<MountedLayer> {
  const fd = openMount(point);
  return fd === undefined ? await openView(runHome, mountView) : heldOpen(fd);
}

/** A mount's root; `undefined` where nothing is mounted, or was a moment ago. */
function openMount(point: string): number | undefined {
  if (!isMountPoint(point)) return undefined;
  let fd: number;
  try {
    fd = openAt(AT_FDCWD, point, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const [root, folder] = [fstat(fd), lstat(point.slice(0, point.lastIndexOf('/')))];
  if (root.devMajor !== folder.devMajor || root.devMinor !== folder.devMinor) return fd;
  closeFd(fd);
  return undefined;
}

/** A directory held open, as a mounted layer: its path is good in this process, for as long as it is not disposed of. */
export function heldOpen(fd: number): MountedLayer {
  let closed = false;
  return {
    // With a dot at its end it is a directory to those who follow no links.
    path: `/proc/self/fd/${fd}/.`,
    [Symbol.asyncDispose]: async () => {
      if (!closed) closeFd(fd);
      closed = true;
    },
  };
}

/** Discards what a kill left of a view. One directory listing where there is nothing. */
export function sweepViews(runHome: string): void {
  const folder = `${runHome}/views`;
  if (listDirectory(folder).every((name) => name === LOCK)) return;
  // Somebody who holds it is about to discard it himself.
  using lock = tryLockFile(`${folder}/${LOCK}`, 'exclusive');
  if (lock === undefined) return;
  for (const name of listDirectory(folder)) if (name !== LOCK) discard(`${folder}/${name}`);
}

function discard(path: string): void {
  if (isMountPoint(path)) unmount(path, MNT_DETACH);
  removeDirectory(path);
}
