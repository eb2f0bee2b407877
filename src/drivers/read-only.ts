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

/** What a driver says of `error` where it is that its store cannot be written; else `error` itself. */
function toldReadOnly(name: string, home: string, error: unknown): unknown {
  if (!hasErrno(error, 'EROFS')) return error;
  const refusal = refusalOfReadOnly(home);
  if (refusal === undefined || refusal.supported) return error;
  return new TsengineError('Unavailable', `${name}: ${refusal.reason}`, { cause: error });
}

/** Does `work`, which fails in the words of the driver's probe where the store under `home` cannot be written. */
export async function tellingReadOnly<T>(name: string, home: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toldReadOnly(name, home, error);
  }
}

/**
 * Prepares a driver that is opened to be written, and has it say so in the same words where its store cannot be written, now or
 * later: a filesystem with an error turns read-only while it is used. Costs nothing while all is well, and lets be read what can.
 */
export async function openedToWrite<T extends GraphDriver & { prepare(): void | Promise<void> }>(
  driver: T,
  home: string,
): Promise<T> {
  const telling = <A extends unknown[], R>(
    method: (...args: A) => Promise<R>,
  ): ((...args: A) => Promise<R>) => {
    return async (...args) => await tellingReadOnly(driver.name, home, () => method.apply(driver, args));
  };
  const { create, createReadWrite, get, applyDiff, remove } = driver;
  const told: Pick<GraphDriver, 'create' | 'createReadWrite' | 'get' | 'applyDiff' | 'remove'> = {
    create: telling(create),
    createReadWrite: telling(createReadWrite),
    get: telling(get),
    applyDiff: telling(applyDiff),
    remove: telling(remove),
  };
  await tellingReadOnly(driver.name, home, () => driver.prepare());
  return Object.assign(driver, told);
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
