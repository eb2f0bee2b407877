import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import { hasErrno, TsengineError } from '../errors.ts';
import { pathExists } from '../linux/files.ts';
import { fsName, statfs } from '../linux/statfs.ts';
import type { GraphDriver, Support } from './driver.ts';

/** The path itself, or the folder above it that is there. */
export function existingFolder(path: string): string {
  return pathExists(path) ? path : existingFolder(dirname(path));
}

/** That nothing can be written where `home` is or will be, as a driver's probe says no; `undefined` where it can. */
export function refusalOfReadOnly(home: string): Support | undefined {
  const folder = existingFolder(home);
  try {
    accessSync(folder, constants.W_OK);
    return undefined;
  } catch (error) {
    if (!hasErrno(error, 'EROFS')) throw error;
    const reason = `${folder} is on a read-only file system: choose another data root, or look at it with --read-only-root`;
    return { supported: false, reason };
  }
}

/**
 * Makes a driver one that only looks (`DriverContext.readOnly`): what would change the store under `home` fails with
 * `Forbidden`, `cleanup` has nothing to do, and `status` tells the filesystem alone, because the rest is found by trying.
 */
export function onlyReading<T extends GraphDriver>(driver: T, home: string): T {
  const refuse = async (): Promise<never> => {
    throw new TsengineError(
      'Forbidden',
      `${driver.name}: opened with --read-only-root, and this would change it`,
    );
  };
  const reading: Pick<
    GraphDriver,
    'status' | 'create' | 'createReadWrite' | 'applyDiff' | 'remove' | 'cleanup'
  > = {
    status: async () => [['Backing Filesystem', fsName(statfs(existingFolder(home)).magic)]],
    create: refuse,
    createReadWrite: refuse,
    applyDiff: refuse,
    remove: refuse,
    cleanup: async () => {},
  };
  return Object.assign(driver, reading);
}
