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

  constructor(folder: StoreFolder, factory: DriverFactory, maker: StoreMaker) {
    this.name = factory.name;
    this.maker = maker;
    this.#folder = `${folder.path}/${factory.name}`;
    this.#home = folder.homeOf(factory.name);
    this.#runHome = folder.runHomeOf(factory.name);
  }

  get home(): string {
    return this.#home;
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
  if (!Number.isSafeInteger(size) || size < LEAST_SIZE) {
    throw new TsengineError('InvalidParameter', `size ${size} is too small for a store: at least 256m`);
  }
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
  if (found?.state === 'making') return await store.takeAway(store.place(found.size));
  if (found !== undefined) {
    throw new TsengineError(
      'Conflict',
      `${store.name} has a store already, made by driver setup: remove it with "tsengine driver teardown ${store.name}"`,
    );
  }
  if (pathExists(store.home) && listDirectory(store.home).length > 0) {
    throw new TsengineError(
      'Conflict',
      `${store.home} is in use by ${store.name}: remove it first, or choose another --data-root`,
    );
  }
}

/** Attaches the stores that are not: after a boot, say. Its cost without stores is one look. */
export async function attachStores(folder: StoreFolder): Promise<void> {
  if (!pathExists(folder.path)) return;
  for (const name of listDirectory(folder.path)) {
    if (!DRIVER_NAMES.some((known) => known === name)) continue;
    const store = await storeOf(folder, name);
    const record = store.record();
    if (record?.state !== 'ready') continue;
    const place = store.place(record.size);
    if (await store.maker.isAttached(place)) continue;
    using _lock = await store.lock();
    if (store.record()?.state !== 'ready' || (await store.maker.isAttached(place))) continue;
    await store.maker.attach(place);
  }
}

/** Whether there is a store of this driver, in whatever state. Fails where the driver can have none. */
export async function hasStore(folder: StoreFolder, name: string): Promise<boolean> {
  return (await storeOf(folder, name)).record() !== undefined;
}

/**
 * Detaches a store and removes all that was in it. Fails with `Conflict`, having changed nothing but for the state on record,
 * while something uses it. `before` removes what elsewhere belongs to it, once that much is certain.
 */
export async function removeStore(folder: StoreFolder, name: string, before: () => void): Promise<void> {
  const store = await storeOf(folder, name);
  using _lock = await store.lock();
  const record = store.record();
  if (record === undefined) {
    store.forget();
    throw new TsengineError(
      'NotFound',
      `${name} has no store that driver setup made: there is nothing to take away`,
    );
  }
  const place = store.place(record.size);
  await store.maker.detach(place);
  store.write('going', record.size);
  before();
  await store.takeAway(place);
  store.forget();
}
