/** The files of a pool that is on loop devices. They are sparse, and never shrink. */
import { statSync } from 'node:fs';
import { hasErrno } from '../../errors.ts';
import { readStart } from '../../linux/block-device.ts';
import { closeFile, fsync, openFile } from '../../linux/files.ts';
import { ftruncate } from '../../linux/space.ts';
import { badOption } from '../storage-options.ts';
import { DEFAULT_LOOP_SIZES } from './options.ts';
import { cutShort } from './pool-errors.ts';
import { parseSuperblock, SUPERBLOCK_SIZE } from './pool-format.ts';

/** Which of the two it is. */
export type LoopFile = keyof typeof DEFAULT_LOOP_SIZES;

/** What a pool is made of: block devices, or the files in place of them. */
export type PoolParts = Readonly<
  Record<LoopFile, { readonly device: string | undefined; readonly file: string }>
>;

/** 0 for a file that is not there. A link counts as the file that it leads to, which is what is opened. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * Fails where a loop file has lost its end: once it has grown again, the loss reads as zeros and nothing tells of it. One that
 * is not there, or that a kill left empty, counts as none.
 */
export function mustBeWhole({ data, metadata }: PoolParts): void {
  const left = ({ device, file }: PoolParts[LoopFile]) => {
    const bytes = device === undefined ? sizeOf(file) : 0;
    return bytes === 0 ? undefined : { path: file, bytes };
  };
  const holder = metadata.device ?? left(metadata)?.path;
  if (holder === undefined) return;
  const known = parseSuperblock(readStart(holder, SUPERBLOCK_SIZE), holder);
  const short = cutShort(known, { data: left(data), metadata: left(metadata) });
  if (short !== undefined) throw short;
}

/** Makes a loop file that is not there, or that a kill left empty, of the size that is wanted, else of Docker's. */
export function makeLoopFile(name: LoopFile, file: string, wanted: number | undefined): void {
  if (sizeOf(file) === 0) growLoopFile(name, file, wanted ?? DEFAULT_LOOP_SIZES[name]);
}

/** Lets a loop file grow, which not every filesystem takes. After a power cut it must not be smaller than its pool says. */
export function growLoopFile(name: LoopFile, file: string, size: number): void {
  if (sizeOf(file) >= size) return;
  const fd = openFile(file, 'a', 0o600);
  try {
    ftruncate(fd, size);
    fsync(fd, file);
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
