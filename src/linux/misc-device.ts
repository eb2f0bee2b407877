/**
 * Control devices whose numbers are fixed, and which the kernel's module loader knows by them. Source: `linux/miscdevice.h`.
 */
import { dirname } from 'node:path';
import { hasErrno } from '../errors.ts';
import { mknodAt } from './at.ts';
import { SyscallError } from './errno.ts';
import { makeDirectories, openFile, removeDirectory, removeFile } from './files.ts';
import { AT_FDCWD, S_IFCHR } from './stat.ts';

/** A control device. */
export interface MiscDevice {
  readonly path: string;
  readonly minor: number;
}

/** That of device-mapper. */
export const MAPPER_CONTROL: MiscDevice = { path: '/dev/mapper/control', minor: 236 };
/** That of loop devices. */
export const LOOP_CONTROL: MiscDevice = { path: '/dev/loop-control', minor: 237 };

const MISC_MAJOR = 10;
const O_RDWR = 2;

/**
 * Opens one for reading and writing. Where its node is missing, because neither udev nor kmod made it, it is made: opening it
 * loads the module. Fails with `ENODEV` where the kernel has no such thing, and leaves no node then.
 */
export function openMiscDevice({ path, minor }: MiscDevice): number {
  try {
    return openFile(path, O_RDWR);
  } catch (error) {
    if (hasErrno(error, 'ENXIO')) throw new SyscallError('open', 'ENODEV', { path });
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  makeDirectories(dirname(path));
  try {
    mknodAt(AT_FDCWD, path, S_IFCHR | 0o600, MISC_MAJOR, minor);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
  try {
    return openFile(path, O_RDWR);
  } catch (error) {
    if (!hasErrno(error, 'ENODEV', 'ENXIO')) throw error;
    unmakeNode(path);
    throw new SyscallError('open', 'ENODEV', { path });
  }
}

/** Removes the node, and the folder that was made for it: nothing else is in that where the kernel has no such devices. */
function unmakeNode(path: string): void {
  removeFile(path);
  try {
    if (dirname(path) !== '/dev') removeDirectory(dirname(path));
  } catch (error) {
    if (!hasErrno(error, 'ENOTEMPTY', 'ENOENT')) throw error;
  }
}
