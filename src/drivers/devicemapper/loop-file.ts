/** The files of a pool that is on loop devices. They are sparse, and never shrink. */
import { hasErrno } from '../../errors.ts';
import { closeFile, openFile, pathExists } from '../../linux/files.ts';
import { ftruncate } from '../../linux/space.ts';
import { lstat } from '../../linux/stat.ts';
import { badOption } from '../storage-options.ts';
import { DEFAULT_LOOP_SIZES } from './options.ts';

/** Which of the two it is. */
export type LoopFile = keyof typeof DEFAULT_LOOP_SIZES;

/** 0 for a file that is not there. */
export function sizeOf(file: string): number {
  return pathExists(file) ? lstat(file).size : 0;
}

/** Makes a loop file, of the size that is wanted, else of Docker's; or lets one grow to what is wanted. One that a kill left empty counts as none. */
export function makeLoopFile(name: LoopFile, file: string, wanted: number | undefined): void {
  growLoopFile(name, file, wanted ?? (sizeOf(file) === 0 ? DEFAULT_LOOP_SIZES[name] : 0));
}

/** Lets a loop file grow, which not every filesystem takes. */
export function growLoopFile(name: LoopFile, file: string, size: number): void {
  if (pathExists(file) && lstat(file).size >= size) return;
  const fd = openFile(file, 'a', 0o600);
  try {
    ftruncate(fd, size);
  } catch (error) {
    if (!hasErrno(error, 'EFBIG', 'EINVAL')) throw error;
    throw badOption(
      `devicemapper: the file system takes no ${file} of ${size} bytes: give a smaller dm.loop${name}size`,
      error,
    );
  } finally {
    closeFile(fd);
  }
}
