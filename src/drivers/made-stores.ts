/** Making the stores of `driver setup` (made-store.ts), attaching them, and telling what is known of one. */
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import { shellWord } from '../linux/command.ts';
import { listDirectory, pathExists } from '../linux/files.ts';
import { findMountAt } from '../linux/mountinfo.ts';
import { statfs } from '../linux/statfs.ts';
import { sizeText } from '../size-text.ts';
import type { DriverContext, DriverFactory } from './driver.ts';
import { MadeStore, type StoreFolder, type StoreRecord, storeOf } from './made-store.ts';
import { isDeadMount } from './mount-counter.ts';
import { existingFolder, refusalOfReadOnly } from './read-only.ts';
import { DRIVER_NAMES } from './registry.ts';
import {
  failedStore,
  isShort,
  LostImageError,
  mustBeBare,
  mustHaveImage,
  roomLeft,
  shortfall,
} from './store-image.ts';

/** A pool or filesystem has room for something from here on; mkfs.btrfs wants 109 MiB. */
export const LEAST_SIZE = 256 * 1024 * 1024;

/** The size of stores that nobody gave one, in bytes: what is not written of it costs nothing, but for zfs-fuse. */
const USUAL_SIZE = 20 * 1024 * 1024 * 1024;

/** That size, or half of what the disk of `folder` has left, where that is less, so that the disk is not full before the store. */
export function usualSize(folder: string): number {
  const half = Math.floor(statfs(existingFolder(folder)).available / 2);
  return Math.max(LEAST_SIZE, Math.min(USUAL_SIZE, half - (half % LEAST_SIZE)));
}

/** A store that is to be made. */
export interface NewStore {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** Those of the driver that are settled as its store is made. */
  readonly options: DriverContext['options'];
}

/** Fails as `makeStore` does where that can be told before anything is made. Makes nothing. */
export async function checkMake(folder: StoreFolder, { name, size, options }: NewStore): Promise<MadeStore> {
  const store = await storeOf(folder, name);
  if (options.length > 0) checkOptions(store, options);
  if (size < LEAST_SIZE)
    throw new TsengineError(
      'InvalidParameter',
      `size ${sizeText(size)} is too small for a store: at least 256m`,
    );
  if (!Number.isSafeInteger(size))
    throw new TsengineError(
      'InvalidParameter',
      `size ${sizeText(size)} is too large for a store: no file can have it`,
    );
  await store.maker.check();
  mustBeFree(store);
  return store;
}

function checkOptions({ maker, name }: MadeStore, options: DriverContext['options']): void {
  if (maker.checkOptions === undefined)
    throw new TsengineError(
      'InvalidParameter',
      `driver setup takes no storage options for ${name}: give them to the commands that use the store`,
    );
  maker.checkOptions(options);
}

/**
 * Makes a store of `size` bytes and attaches it. Nothing is used of the file but what is written, or all of it. Resolves to the bytes
 * that its disk lacks for the rest. Fails with `Conflict` where the driver has a store or layers already; leaves nothing when it fails.
 */
export async function makeStore(folder: StoreFolder, wanted: NewStore): Promise<number> {
  const store = await checkMake(folder, wanted);
  const { options, size } = wanted;
  using _lock = await store.lock();
  const place = store.place(size);
  mustBeFree(store);
  const found = store.record();
  if (found !== undefined) await store.takeAway(store.place(found.size));
  store.write('making', size);
  try {
    await store.maker.make(place, options);
    await store.maker.attach(place);
    store.write('ready', size);
    return shortfall(place);
  } catch (error) {
    await store.takeAway(place);
    store.forget();
    throw error;
  }
}

/** One that is half made, with nothing in it, is made anew. */
function mustBeFree(store: MadeStore): void {
  const found = store.record();
  if (found?.state === 'making' && !store.mayHoldLayers()) return;
  if (found !== undefined) {
    const remedy =
      found.state === 'ready'
        ? `use that one, or give it up with ${store.command('teardown', '--force ')}`
        : `remove it with ${store.command('teardown')}`;
    throw new TsengineError(
      'Conflict',
      `${store.name} has a store already, made by driver setup, at ${store.home}: ${remedy}`,
    );
  }
  if (store.unrecordedSize !== undefined) throw unrecorded(store);
  if (isFree(store)) return;
  throw new TsengineError(
    'Conflict',
    `${store.home} is in use by ${store.name}: ${howToFree(store)}; or choose another --data-root`,
  );
}

/** The error for a store of which somebody removed the record alone. */
export function unrecorded(store: MadeStore): TsengineError {
  return new TsengineError(
    'Conflict',
    `${store.image} is there, which driver setup made for ${store.name}, but the store.json beside it, its record, is not: put it back, or give the store up with ${store.command('teardown', '--force ')}`,
  );
}

/** Whether nothing is where the store would be. */
function isFree({ home }: MadeStore): boolean {
  return !pathExists(home) || listDirectory(home).length === 0;
}

/** What somebody does who wants the driver's folder to go, in which there is no store of ours. */
export function howToFree(store: MadeStore): string {
  const { home, maker, program } = store;
  const takeDown =
    findMountAt(home) === undefined ? maker.commandToTakeDown?.(home) : `umount ${shellWord(home)}`;
  const remove = [takeDown ?? [], `rm -r ${shellWord(home)}`].flat().join(' && ');
  if (!store.mayHoldLayers()) return `remove what is left there (${remove})`;
  return `remove its containers and images (${program} rm, ${program} rmi), then what is left (${remove})`;
}

/**
 * Attaches the stores that are not, as after a boot: that of the driver that was asked for, or all, because the choice of a
 * driver looks at what is there. Fails where one cannot be attached, when the others are, and with `Conflict` where the one that was
 * asked for is half made or half gone.
 */
export async function attachStores(folder: StoreFolder, asked: string | undefined): Promise<void> {
  if (!pathExists(folder.path)) return;
  const failures: unknown[] = [];
  for (const name of listDirectory(folder.path)) {
    if (!DRIVER_NAMES.some((known) => known === name) || (asked !== undefined && asked !== name)) continue;
    try {
      await attachIfReady(await storeOf(folder, name), asked);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function attachIfReady(store: MadeStore, asked: string | undefined): Promise<void> {
  const record = store.record();
  if (record?.state === 'ready') await attach(store, record.size);
  else if (record !== undefined && asked === store.name) throw halfMade(store, record);
}

const NO_LOCK: Disposable = { [Symbol.dispose]: () => {} };

async function attach(store: MadeStore, size: number): Promise<void> {
  const place = store.place(size);
  if (await store.maker.isAttached(place)) return;
  using lock = store.isLockedHere ? NO_LOCK : await store.lockIfAny();
  // Taken away meanwhile.
  if (lock === undefined) return;
  if (store.record()?.state !== 'ready' || (await store.maker.isAttached(place))) return;
  await store.maker.attach(place);
}

function halfMade(store: MadeStore, { state }: StoreRecord): TsengineError {
  const [what, word]: readonly [string, 'setup' | 'teardown'] =
    state === 'making' ? ['made', 'setup'] : ['taken away', 'teardown'];
  return new TsengineError(
    'Conflict',
    `the store of ${store.name} is being ${what}, or that was broken off: run "${store.command(word)}"`,
  );
}

/**
 * For somebody who may not attach it: fails with `Unavailable` where a driver's store is not attached, with `Conflict` where it is
 * half made or half gone, and with the way out. A driver without a store is none of that.
 */
export async function mustBeAttached(folder: StoreFolder, { name, stores }: DriverFactory): Promise<void> {
  if (stores === undefined) return;
  const store = await storeOf(folder, name);
  const record = store.record();
  if (record === undefined) return;
  if (record.state !== 'ready') throw halfMade(store, record);
  if (await store.maker.isAttached(store.place(record.size))) return;
  const reading = refusalOfReadOnly(store.home) === undefined ? '' : ' when its disk can be written';
  throw new TsengineError(
    'Unavailable',
    `the store of ${name} that driver setup made is not attached at ${store.home}, as after a boot: attach it with "${store.program} images"${reading}`,
  );
}

/** What is known of a store without attaching it. */
export interface StoreState {
  /** In bytes. */
  readonly size: number;
  readonly isAttached: boolean;
  /** Why it cannot be used, with the way out; `undefined` where it can. */
  readonly trouble: string | undefined;
  /** What people should know of it. */
  readonly note: string | undefined;
}

/** Looks at a driver's store; `undefined` where it has none. Changes nothing. Fails with `System` where its record is damaged. */
export async function storeState(
  folder: StoreFolder,
  factory: DriverFactory,
): Promise<StoreState | undefined> {
  if (factory.stores === undefined) return undefined;
  const store = new MadeStore(folder, factory, await factory.stores());
  const unknown = store.unrecordedSize;
  if (unknown !== undefined)
    return { size: unknown, isAttached: false, trouble: unrecorded(store).message, note: undefined };
  const record = store.record();
  if (record === undefined) return undefined;
  const { size, state } = record;
  const place = store.place(size);
  const isAttached = state === 'ready' && (await store.maker.isAttached(place));
  const isOnImage = store.maker.inHome === undefined;
  const short = isOnImage && isShort(place) ? roomLeft(place, store.name) : undefined;
  const found = { size, isAttached, trouble: undefined, note: short };
  if (state !== 'ready') return { ...found, trouble: halfMade(store, record).message };
  if (isAttached && store.maker.hasFailed?.(place) === true)
    return { ...found, trouble: failedStore(place, store.name).message };
  try {
    if (isOnImage) mustHaveImage(place, store.name);
    if (isAttached) return found;
    const isDead = isOnImage && isDeadMount(store.home);
    if (isOnImage && !isDead) mustBeBare(place, store.name);
    await store.maker.check();
    const why = isDead ? 'the daemon that served it died: ' : '';
    return { ...found, note: `${why}the next command that uses it attaches it` };
  } catch (error) {
    if (!(error instanceof TsengineError)) throw error;
    if (!isAttached || !(error instanceof LostImageError)) return { ...found, trouble: error.message };
    return { ...found, note: `${error.why}, and with the next boot all that is in it: save that` };
  }
}

/**
 * What a refusal can add for a driver that cannot work on the data root's file system: how to have a store on a file, or what
 * this machine lacks for one. `undefined` where none could be made there, or nothing is known.
 */
export async function offerOfStore(folder: StoreFolder, factory: DriverFactory): Promise<string | undefined> {
  if (factory.stores === undefined) return undefined;
  const store = new MadeStore(folder, factory, await factory.stores());
  try {
    if (!isFree(store) || refusalOfReadOnly(store.home) !== undefined) return undefined;
    await store.maker.check();
    return `or have a store for it on a file: ${store.command('setup')}`;
  } catch (error) {
    if (hasErrno(error, 'EACCES', 'EPERM', 'ENOTCONN', 'ENOTDIR')) return undefined;
    return `a store on a file (driver setup) would serve, but ${errorMessage(error)}`;
  }
}
