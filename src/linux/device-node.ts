/**
 * Names of device-mapper's devices in `/dev/mapper`. Where udev runs they are its links to `/dev/dm-MINOR`; where it does not
 * they are nodes that we make and remove, as libdevmapper does, so that others find the devices by them.
 */
import { statSync, symlinkSync } from 'node:fs';
import { hasErrno } from '../errors.ts';
import { makeDev, mknodAt } from './at.ts';
import { makeDirectories, pathExists, removeFile } from './files.ts';
import { AT_FDCWD, S_IFBLK } from './stat.ts';
import { isUdevRunning } from './udev-cookie.ts';

const FOLDER = '/dev/mapper';

/** Where a block device of these numbers can be opened, by device-mapper's name for it or the kernel's. */
export function nodeOf(name: string, major: number, minor: number): string {
  const own = `${FOLDER}/${name}`;
  if (isNodeOf(own, major, minor)) return own;
  const kernel = `/dev/dm-${minor}`;
  return isNodeOf(kernel, major, minor) ? kernel : own;
}

function isNodeOf(path: string, major: number, minor: number): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isBlockDevice() === true && BigInt(found.rdev) === makeDev(major, minor);
}

/** Makes the node of a device, where udev does not. What a device of that name left before is replaced. */
export function makeNode(name: string, major: number, minor: number): void {
  const path = `${FOLDER}/${name}`;
  if (isUdevRunning() || isNodeOf(path, major, minor)) return;
  makeDirectories(FOLDER);
  removeFile(path);
  try {
    mknodAt(AT_FDCWD, path, S_IFBLK | 0o600, major, minor);
  } catch (error) {
    // Somebody else was quicker.
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}

/** Makes udev's link to a device before udev does, which then leaves it as it is. Where udev does not run nothing is made. */
export function linkNode(name: string, major: number, minor: number): void {
  const path = `${FOLDER}/${name}`;
  if (!isUdevRunning() || isNodeOf(path, major, minor)) return;
  removeFile(path);
  try {
    symlinkSync(`../dm-${minor}`, path);
  } catch (error) {
    // udev was quicker.
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}

/** Removes the node of a device that is gone, where udev does not. */
export function removeNode(name: string): void {
  const path = `${FOLDER}/${name}`;
  if (!isUdevRunning() && pathExists(path)) removeFile(path);
}
