/**
 * Stores that `driver setup` made: a filesystem or a pool on a file, for people who want to try a driver that the filesystem
 * of their data root cannot serve. Each is a folder of its own with a record in it:
 *
 *     <folder>/<driver>/store.json   {"version": 1, "state": "making" | "ready" | "going", "size": bytes, "mayGo": true?}
 *     <folder>/<driver>/image        the file; devicemapper's are in the driver's own home
 *     <folder>/<driver>/lock         flock(2): held while the store is made, attached or taken away
 *
 * What is attached is so until the machine stops, and is attached again at the next use. A kill while a store is made leaves
 * the record with `making`: it is not used, and made anew by the next `driver setup`. One while it is taken away leaves
 * `going`: it is not used, and the next `driver teardown` goes on. With `mayGo` it was seen to be empty and detached, or may go
 * with all that is in it; without, nobody has decided that, and the next teardown looks into it as into one that is `ready`.
 */
import * as z from 'zod/mini';
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import { shellWord } from '../linux/command.ts';
import {
  listDirectory,
  makeDirectories,
  pathExists,
  readTextIfAny,
  removeFile,
  writeFileAtomic,
} from '../linux/files.ts';
import { type Lock, lockFile } from '../linux/flock.ts';
import { findMountAt } from '../linux/mountinfo.ts';
import { removeTree } from '../linux/remove-tree.ts';
import { sizeText } from '../size-text.ts';
import type { DriverFactory, DriverName, StoreMaker, StorePlace } from './driver.ts';
import { refusalOfReadOnly } from './read-only.ts';
import { DRIVER_NAMES, driverFactory } from './registry.ts';
import { LostImageError, mustHaveImage } from './store-image.ts';

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
  /** How tsengine is called on the data root, as sh(1) reads it, for commands that messages suggest. */
  readonly program: string;
}

const RECORD = z.object({
  version: z.literal(1),
  state: z.enum(['making', 'ready', 'going']),
  size: z.int().check(z.gte(1)),
  mayGo: z.optional(z.literal(true)),
});
type StoreRecord = z.infer<typeof RECORD>;

class MadeStore {
  readonly name: DriverName;
  readonly maker: StoreMaker;
  readonly #folder: string;
  readonly #home: string;
  readonly #runHome: string;
  readonly #factory: DriverFactory;
  readonly #program: string;

  constructor(folder: StoreFolder, factory: DriverFactory, maker: StoreMaker) {
    this.name = factory.name;
    this.#factory = factory;
    this.maker = maker;
    this.#folder = `${folder.path}/${factory.name}`;
    this.#home = folder.homeOf(factory.name);
    this.#runHome = folder.runHomeOf(factory.name);
    this.#program = folder.program;
  }

  get home(): string {
    return this.#home;
  }

  /** A command on the driver's store, as a message suggests it. */
  command(word: 'setup' | 'teardown', flags = ''): string {
    return `${this.#program} driver ${word} ${flags}${this.name}`;
  }

  /** What begins a command with the driver. */
  get program(): string {
    return `${this.#program} -s ${this.name}`;
  }

  /** Whether the driver's folders say that it holds layers, or may. Only of what is attached. */
  mayHoldLayers(): boolean {
    return this.#factory.hasData(this.#home);
  }

  /** Whether layers are in it. Only of what is attached. */
  async holdsLayers(place: StorePlace): Promise<boolean> {
    return this.mayHoldLayers() && (await this.maker.isEmpty?.(place)) !== true;
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

  write(state: StoreRecord['state'], size: number, mayGo = false): void {
    const record: StoreRecord = { version: 1, state, size, ...(mayGo ? { mayGo } : {}) };
    writeFileAtomic(`${this.#folder}/store.json`, `${JSON.stringify(record)}\n`);
  }

  place(size: number): StorePlace {
    return {
      home: this.#home,
      runHome: this.#runHome,
      image: `${this.#folder}/image`,
      size,
      program: this.#program,
    };
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
    `storage driver ${name} needs no store of its own: any file system that it can work on serves (${folder.program} driver ls)`,
  );
}

/**
 * Makes a store of `size` bytes and attaches it. Nothing is used of the file but what is written. Fails with `Conflict`
 * where the driver has a store or layers already; leaves nothing when it fails.
 */
export async function makeStore(folder: StoreFolder, name: string, size: number): Promise<void> {
  const store = await storeOf(folder, name);
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
  if (found?.state === 'making' && !store.mayHoldLayers())
    return await store.takeAway(store.place(found.size));
  if (found !== undefined) {
    throw new TsengineError(
      'Conflict',
      `${store.name} has a store already, made by driver setup, at ${store.home}: remove it with ${store.command('teardown')}`,
    );
  }
  if (isFree(store)) return;
  throw new TsengineError(
    'Conflict',
    `${store.home} is in use by ${store.name}: ${howToFree(store)}; or choose another --data-root`,
  );
}

/** Whether nothing is where the store would be. */
function isFree({ home }: MadeStore): boolean {
  return !pathExists(home) || listDirectory(home).length === 0;
}

/** What somebody does who wants the driver's folder to go, in which there is no store of ours. */
function howToFree(store: MadeStore): string {
  const { home, maker, program } = store;
  const takeDown =
    findMountAt(home) === undefined ? maker.commandToTakeDown?.(home) : `umount ${shellWord(home)}`;
  const remove = [takeDown ?? [], `rm -r ${shellWord(home)}`].flat().join(' && ');
  if (!store.mayHoldLayers()) return `remove what is left there (${remove})`;
  return `remove its containers and images (${program} rm, ${program} rmi), then what is left (${remove})`;
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

function halfMade(store: MadeStore, { state }: StoreRecord): TsengineError {
  const [what, word]: readonly [string, 'setup' | 'teardown'] =
    state === 'making' ? ['made', 'setup'] : ['taken away', 'teardown'];
  return new TsengineError(
    'Conflict',
    `the store of ${store.name} is being ${what}, or that was broken off: run "${store.command(word)}"`,
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
  const record = store.record();
  if (record === undefined) return undefined;
  const { size, state } = record;
  const place = store.place(size);
  const isAttached = state === 'ready' && (await store.maker.isAttached(place));
  const found = { size, isAttached, trouble: undefined, note: undefined };
  if (state !== 'ready') return { ...found, trouble: halfMade(store, record).message };
  try {
    if (store.maker.inHome === undefined) mustHaveImage(place, store.name);
    if (isAttached) return found;
    await store.maker.check();
    return { ...found, note: 'the next command that uses it attaches it' };
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
  const isDecided = record.state === 'making' || record.mayGo === true;
  if (!isDecided) await empty(store, place, record, how);
  await store.maker.detach(place);
  // From here on nobody can have put anything into it.
  if (!isDecided && !how.force) store.write('going', place.size, true);
  how.removeRecords();
  await store.takeAway(place);
  store.forget();
}

/**
 * Sees that nothing is in a store that may not go, and that nothing comes any more: who opens it from now on is refused. With
 * `force` it may go from then on, whatever becomes of us.
 */
async function empty(
  store: MadeStore,
  place: StorePlace,
  { state }: StoreRecord,
  how: RemoveStore,
): Promise<void> {
  // A teardown was broken off before it knew whether anything is in there.
  if (state !== 'ready') store.write('ready', place.size);
  try {
    if (!(await store.maker.isAttached(place))) await store.maker.attach(place);
    if (how.force) await how.removeContainers();
  } catch (error) {
    if (!how.force) throw error;
    const why = error instanceof LostImageError ? error.why : errorMessage(error);
    how.warn(`containers of ${store.name} may stay on record: ${why}`);
  }
  store.write('going', place.size, how.force);
  if (how.force || !(await keepingReady(store, place))) return;
  throw new TsengineError(
    'Conflict',
    `${store.name} holds images or containers in ${store.home}: remove them first, or all of them now with ${store.command('teardown', '--force ')}`,
  );
}

/** Whether layers are in a store that is `going`: it is `ready` again where they are, or where that cannot be known. */
async function keepingReady(store: MadeStore, place: StorePlace): Promise<boolean> {
  let isEmpty = false;
  try {
    isEmpty = !(await store.holdsLayers(place));
  } finally {
    if (!isEmpty) store.write('ready', place.size);
  }
  return !isEmpty;
}

function noStore(name: string): TsengineError {
  return new TsengineError(
    'NotFound',
    `${name} has no store that driver setup made: there is nothing to take away`,
  );
}
