/** The file that a store made by `driver setup` is on. */
import { dirname } from 'node:path';
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import { closeFile, openFile, pathExists, removeFile } from '../linux/files.ts';
import { ftruncate } from '../linux/space.ts';
import type { DriverName, StorePlace } from './driver.ts';

/** Makes the file, anew: a hole of the store's size, readable for root alone. */
export function makeImage({ image, size }: StorePlace): void {
  removeFile(image);
  const fd = openFile(image, 'wx', 0o600);
  try {
    ftruncate(fd, size);
  } catch (error) {
    if (!hasErrno(error, 'EFBIG')) throw error;
    removeFile(image);
    throw new TsengineError(
      'InvalidParameter',
      `size ${size} is too large for a store: the file system below ${dirname(image)} has no files of it`,
      { cause: error },
    );
  } finally {
    closeFile(fd);
  }
}

/** The error for a file that is no filesystem or pool any more. */
export function damagedImage(image: string, name: DriverName, cause: unknown): TsengineError {
  return new TsengineError(
    'Unavailable',
    `${image}, which driver setup made for ${name}, cannot be mounted, because it is damaged (${errorMessage(cause)}): put it back from a backup, or give it up with driver teardown --force`,
    { cause },
  );
}

/** Fails with `Unavailable` and the way out where the file is gone. */
export function mustHaveImage({ image }: StorePlace, name: DriverName): void {
  if (pathExists(image)) return;
  throw new TsengineError(
    'Unavailable',
    `${image}, which driver setup made for ${name}, is gone: bring it back, or give it up with driver teardown --force`,
  );
}
