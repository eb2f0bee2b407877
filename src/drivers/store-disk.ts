/**
 * The disk below the file of a store: the file is a hole of its size, and what is written into the store needs room there. A
 * filesystem that finds none takes its writes back or stops, as after an error of its disk, and zfs-fuse tries for ever; so
 * layers are not begun where there is next to none.
 */
import { errorMessage, firstError, hasErrno, TsengineError } from '../errors.ts';
import type { GraphDriver, StorePlace } from './driver.ts';
import { type MadeStore, type StoreFolder, storeOf } from './made-store.ts';
import { failedStore, isShort, LostImageError, roomLeft } from './store-image.ts';

/** One with its file. */
interface StoreOnFile {
  readonly store: MadeStore;
  readonly place: StorePlace;
}

/** The store that driver setup made for a driver, on a file; `undefined` where there is none that is in use. */
async function storeOnFile(folder: StoreFolder, name: string): Promise<StoreOnFile | undefined> {
  const store = await storeOf(folder, name);
  const record = store.record();
  if (record?.state !== 'ready' || store.maker.inHome === true) return undefined;
  return { store, place: store.place(record.size) };
}

/**
 * Has a driver on such a store begin no layer where its file finds no room, and say so in words of the disk where something fails
 * because of that: also in what only warns.
 */
export async function wantingRoom(driver: GraphDriver, folder: StoreFolder): Promise<GraphDriver> {
  const found = await storeOnFile(folder, driver.name);
  if (found === undefined) return driver;
  const { place } = found;
  const telling = <A extends unknown[], R>(
    method: (...args: A) => Promise<R>,
    wantsRoom = false,
  ): ((...args: A) => Promise<R>) => {
    return async (...args) => {
      if (wantsRoom && isShort(place)) throw new TsengineError('Unavailable', roomLeft(place, driver.name));
      try {
        return await method.apply(driver, args);
      } catch (error) {
        throw await explainStore(error, folder, driver.name);
      }
    };
  };
  const { create, createReadWrite, get, applyDiff, remove } = driver;
  const told: Pick<GraphDriver, 'create' | 'createReadWrite' | 'get' | 'applyDiff' | 'remove'> = {
    create: telling(create, true),
    createReadWrite: telling(createReadWrite, true),
    get: telling(get),
    applyDiff: telling(applyDiff),
    remove: telling(remove),
  };
  return Object.assign(driver, told);
}

/** What the kernel, tools and drivers say where something cannot be written. */
const NOT_WRITTEN = /input\/output error|read-only file system|no space left on device|currently suspended/i;

function tellsOfDisk(error: unknown): boolean {
  return hasErrno(error, 'EIO', 'EROFS', 'ENOSPC') || NOT_WRITTEN.test(errorMessage(error));
}

/** The error of a command, in words of the disk below a driver's store where that is the cause. */
export async function explainStore(error: unknown, folder: StoreFolder, name: string): Promise<unknown> {
  if (firstError(error) instanceof LostImageError || !tellsOfDisk(error)) return error;
  const found = await storeOnFile(folder, name);
  if (found === undefined) return error;
  const { store, place } = found;
  if ((await store.maker.isAttached(place)) && store.maker.hasFailed?.(place) === true)
    return failedStore(place, store.name, error);
  if (!isShort(place)) return error;
  const first = firstError(error);
  const exitCode = first instanceof TsengineError ? first.exitCode : undefined;
  return new TsengineError('Unavailable', roomLeft(place, store.name), {
    cause: error,
    ...(exitCode === undefined ? {} : { exitCode }),
  });
}
