/**
 * Stores that `driver setup` made: a filesystem or a pool on a file, for people who want to try a driver that the filesystem
 * of their data root cannot serve. Each is a folder of its own with a record in it:
 *
 *     <folder>/<driver>/store.json   {"version": 1, "state": "making" | "ready" | "going", "size": bytes}
 *     <folder>/<driver>/image        the file; devicemapper's are in the driver's own home
 *     <folder>/<driver>/lock         flock(2): held while the store is made, attached or taken away
 *
 * What is attached is so until the machine stops, and is attached again at the next use. A kill while a store is made leaves
 * the record with `making`: it is not used, and made anew by the next `driver setup`. One while it is taken away leaves
 * `going`: it is not used, and the next `driver teardown` goes on.
 */
import * as z from 'zod/mini';
import { errorMessage, TsengineError } from '../errors.ts';
import {
  listDirectory,
  makeDirectories,
  pathExists,
  readTextIfAny,
  removeFile,
  writeFileAtomic,
} from '../linux/files.ts';
import { type Lock, lockFile } from '../linux/flock.ts';
import { removeTree } from '../linux/remove-tree.ts';
import type { DriverFactory, DriverName, StoreMaker, StorePlace } from './driver.ts';
import { DRIVER_NAMES, driverFactory } from './registry.ts';

/** A pool or filesystem has room for something from here on; mkfs.btrfs wants 109 MiB. */
export const LEAST_SIZE = 256 * 1024 * 1024;

/** Where the stores of a data root are. */
export interface StoreFolder {
  /** Holds a folder for each driver that has one. */
  readonly path: string;
  /** The driver's folder in the data root. */
  homeOf(name: DriverName): string;
  /** The driver's folder in the exec root. */
  runHomeOf(name: DriverName): string;
}

const RECORD = z.object({
  version: z.literal(1),
  state: z.enum(['making', 'ready', 'going']),
  size: z.int().check(z.gte(1)),
});
type StoreRecord = z.infer<typeof RECORD>;

class MadeStore {
  readonly name: DriverName;
  readonly maker: StoreMaker;
  readonly #folder: string;
  readonly #home: string;
  readonly #runHome: string;
  readonly #factory: DriverFactory;

  constructor(folder: StoreFolder, factory: DriverFactory, maker: StoreMaker) {
    this.name = factory.name;
    this.#factory = factory;
    this.maker = maker;
    this.#folder = `${folder.path}/${factory.name}`;
    this.#home = folder.homeOf(factory.name);
    this.#runHome = folder.runHomeOf(factory.name);
  }

  get home(): string {
    return this.#home;
  }

  /** Whether layers are in it. Only of what is attached. */
  holdsLayers(): boolean {
    return this.#factory.hasData(this.#home);
  }

  lock(): Promise<Lock> {
    makeDirectories(this.#folder, 0o700);
    return lockFile(`${this.#folder}/lock`, 'exclusive');
  }

  record(): StoreRecord | undefined {
    const path = `${this.#folder}/store.json`;
    const text = readTextIfAny(path);
    if (text === undefined) return undefined;
    try {
      return RECORD.parse(JSON.parse(text));
    } catch (error) {
      throw new TsengineError(
        'System',
        `${path} is damaged (${errorMessage(error).replaceAll(/\s*\n\s*/g, ' ')}): mend it, or remove it to give up the store that driver setup made`,
        { cause: error },
      );
    }
  }

  write(state: StoreRecord['state'], size: number): void {
    writeFileAtomic(
      `${this.#folder}/store.json`,
      `${JSON.stringify({ version: 1, state, size } satisfies StoreRecord)}\n`,
    );
  }

  place(size: number): StorePlace {
    return { home: this.#home, runHome: this.#runHome, image: `${this.#folder}/image`, size };
  }

  /** Detaches what is attached, and removes all that was made but for the record, which goes last. */
  async takeAway(place: StorePlace): Promise<void> {
    await this.maker.detach(place);
    removeTree(this.#home);
    removeFile(place.image);
  }

  forget(): void {
    removeFile(`${this.#folder}/store.json`);
    removeTree(this.#folder);
  }
}

async function storeOf(folder: StoreFolder, name: string): Promise<MadeStore> {
  const factory = await driverFactory(name);
  if (factory.stores !== undefined) return new MadeStore(folder, factory, await factory.stores());
  throw new TsengineError(
    'InvalidParameter',
    `storage driver ${name} needs no store of its own: any file system that it can work on serves (tsengine driver ls)`,
  );
}

/**
 * Makes a store of `size` bytes and attaches it. Nothing is used of the file but what is written. Fails with `Conflict`
 * where the driver has a store or layers already; leaves nothing when it fails.
 */
export async function makeStore(folder: StoreFolder, name: string, size: number): Promise<void> {
  const store = await storeOf(folder, name);
  if (size < LEAST_SIZE)
    throw new TsengineError('InvalidParameter', `size ${size} is too small for a store: at least 256m`);
  if (!Number.isSafeInteger(size))
    throw new TsengineError('InvalidParameter', `size ${size} is too large for a store: no file can have it`);
  await store.maker.check();
  using _lock = await store.lock();
  const place = store.place(size);
  await mustBeFree(store);
  store.write('making', size);
  try {
    await store.maker.make(place);
    await store.maker.attach(place);
    store.write('ready', size);
  } catch (error) {
    await store.takeAway(place);
    store.forget();
    throw error;
  }
}

async function mustBeFree(store: MadeStore): Promise<void> {
  const found = store.record();
  if (found?.state === 'making' && !store.holdsLayers()) return await store.takeAway(store.place(found.size));
  if (found !== undefined) {
    throw new TsengineError(
      'Conflict',
      `${store.name} has a store already, made by driver setup, at ${store.home}: remove it with driver teardown`,
    );
  }
  if (pathExists(store.home) && listDirectory(store.home).length > 0) {
    throw new TsengineError(
      'Conflict',
      `${store.home} is in use by ${store.name}: remove it first, or choose another --data-root`,
    );
  }
}

/**
 * Attaches the stores that are not, as after a boot: that of the driver that was asked for, or all, because the choice of a
 * driver looks at what is there. Fails where one cannot be attached, and with `Conflict` where the one that was asked for is
 * half made or half gone.
 */
export async function attachStores(folder: StoreFolder, asked: string | undefined): Promise<void> {
  if (!pathExists(folder.path)) return;
  for (const name of listDirectory(folder.path)) {
    if (!DRIVER_NAMES.some((known) => known === name) || (asked !== undefined && asked !== name)) continue;
    const store = await storeOf(folder, name);
    const record = store.record();
    if (record === undefined) continue;
    if (record.state === 'ready') await attach(store, record.size);
    else if (asked === name) throw halfMade(store, record);
  }
}

async function attach(store: MadeStore, size: number): Promise<void> {
  const place = store.place(size);
  if (await store.maker.isAttached(place)) return;
  using _lock = await store.lock();
  if (store.record()?.state !== 'ready' || (await store.maker.isAttached(place))) return;
  await store.maker.attach(place);
}

function halfMade({ name }: MadeStore, { state }: StoreRecord): TsengineError {
  const [what, command] = state === 'making' ? ['made', 'setup'] : ['taken away', 'teardown'];
  return new TsengineError(
    'Conflict',
    `the store of ${name} is being ${what}, or that was broken off: run "tsengine driver ${command} ${name}"`,
  );
}

/** How a store is taken away. */
export interface RemoveStore {
  /** Layers that are in it go with it; else they are a `Conflict`. */
  readonly force: boolean;
  /** Removes the containers that are in it, with `force`, where it can be attached. */
  removeContainers(): Promise<void>;
  /** Removes what elsewhere belongs to it, once it is detached. */
  removeRecords(): void;
  /** Takes a line for people. */
  warn(message: string): void;
}

/**
 * Detaches a store and removes all that was in it. Fails with `NotFound`, having changed nothing, where there is none, and with
 * `Conflict` while something uses it.
 */
export async function removeStore(folder: StoreFolder, name: string, how: RemoveStore): Promise<void> {
  const store = await storeOf(folder, name);
  if (store.record() === undefined) throw noStore(name);
  using _lock = await store.lock();
  const record = store.record();
  if (record === undefined) throw noStore(name);
  const place = store.place(record.size);
  if (record.state === 'ready') await empty(store, place, how);
  await store.maker.detach(place);
  how.removeRecords();
  await store.takeAway(place);
  store.forget();
}

/** Sees that nothing is in a store that may not go, and that nothing comes any more: who opens it from now on is refused. */
async function empty(store: MadeStore, place: StorePlace, how: RemoveStore): Promise<void> {
  try {
    if (!(await store.maker.isAttached(place))) await store.maker.attach(place);
    if (how.force) await how.removeContainers();
  } catch (error) {
    if (!how.force) throw error;
    how.warn(`containers of ${store.name} may stay on record: ${errorMessage(error)}`);
  }
  store.write('going', place.size);
  if (how.force || !store.holdsLayers()) return;
  store.write('ready', place.size);
  throw new TsengineError(
    'Conflict',
    `${store.name} holds images or containers in ${store.home}: remove them first, or all of them now with --force`,
  );
}

function noStore(name: string): TsengineError {
  return new TsengineError(
    'NotFound',
    `${name} has no store that driver setup made: there is nothing to take away`,
  );
}
