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
import { statSync } from 'node:fs';
import * as z from 'zod/mini';
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import {
  closeFile,
  fsync,
  listDirectory,
  makeDirectories,
  openFile,
  pathExists,
  readTextIfAny,
  removeDirectory,
  removeFile,
  writeAll,
  writeFileAtomic,
} from '../linux/files.ts';
import { lockFile } from '../linux/flock.ts';
import { findMountAt } from '../linux/mountinfo.ts';
import { removeTree } from '../linux/remove-tree.ts';
import { schemaMessage } from '../schema-message.ts';
import type { DriverFactory, DriverName, StoreMaker, StorePlace } from './driver.ts';
import { driverFactory } from './registry.ts';

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
/** What is on record of a store. */
export type StoreRecord = z.infer<typeof RECORD>;

/** The locks of stores that this process has. */
const lockedHere = new Set<string>();

/** One of them, made or not. */
export class MadeStore {
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

  /** The file that it is on, where it is on one. */
  get image(): string {
    return `${this.#folder}/image`;
  }

  get #record(): string {
    return `${this.#folder}/store.json`;
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

  /** Makes the store's folder where there is none. */
  async lock(): Promise<Disposable> {
    for (;;) {
      makeDirectories(this.#folder, 0o700);
      const lock = await this.lockIfAny();
      if (lock !== undefined) return lock;
    }
  }

  /** The same, and `undefined` where there is no such folder, or where who had the lock has taken it away. */
  async lockIfAny(): Promise<Disposable | undefined> {
    const path = `${this.#folder}/lock`;
    try {
      const lock = await lockFile(path, 'exclusive');
      lockedHere.add(path);
      return {
        [Symbol.dispose]: () => {
          lockedHere.delete(path);
          lock[Symbol.dispose]();
        },
      };
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Whether this process has the lock: a teardown opens an engine, to remove containers, and must not wait for itself. */
  get isLockedHere(): boolean {
    return lockedHere.has(`${this.#folder}/lock`);
  }

  record(): StoreRecord | undefined {
    const path = this.#record;
    const text = readTextIfAny(path);
    if (text === undefined) return undefined;
    const damaged = (why: string, cause: unknown): TsengineError =>
      new TsengineError(
        'System',
        `${path} is damaged (${why}): mend it, or give up the store that driver setup made with ${this.command('teardown', '--force ')}`,
        { cause },
      );
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw damaged(errorMessage(error).replaceAll(/\s*\n\s*/g, ' '), error);
    }
    const parsed = RECORD.safeParse(value);
    if (parsed.success) return parsed.data;
    throw damaged(schemaMessage(parsed.error), parsed.error);
  }

  /** The size of a file that is there without a record, which somebody removed; `undefined` where there is none. */
  get unrecordedSize(): number | undefined {
    if (this.maker.inHome === true || pathExists(this.#record)) return undefined;
    return statSync(this.image, { throwIfNoEntry: false })?.size;
  }

  /** A record in place of one that was removed or is damaged; `undefined` where nothing is wrong with it, or there is no store. */
  recordAnew(): StoreRecord | undefined {
    const size = this.unrecordedSize ?? this.#damagedSize();
    return size === undefined ? undefined : { version: 1, state: 'ready', size: Math.max(size, 1) };
  }

  #damagedSize(): number | undefined {
    try {
      this.record();
      return undefined;
    } catch (error) {
      if (!(error instanceof TsengineError)) throw error;
      return statSync(this.image, { throwIfNoEntry: false })?.size ?? 0;
    }
  }

  write(state: StoreRecord['state'], size: number, mayGo = false): void {
    writeFileAtomic(this.#record, recordText(state, size, mayGo));
  }

  /**
   * The same where the record is, on a disk that has no room for another file: what zfs-fuse waits for there takes all that was kept
   * back. Disks write so little whole.
   */
  overwrite(state: StoreRecord['state'], size: number, mayGo = false): void {
    const fd = openFile(this.#record, 'r+');
    try {
      // What is longer would stay behind its end.
      const text = recordText(state, size, mayGo).padEnd(statSync(this.#record).size);
      writeAll(fd, Buffer.from(text), 0, this.#record);
      fsync(fd, this.#record);
    } finally {
      closeFile(fd);
    }
  }

  /** `flags` are those of a teardown that goes on with it. */
  place(size: number, flags = ''): StorePlace {
    return {
      home: this.#home,
      runHome: this.#runHome,
      image: this.image,
      size,
      program: this.#program,
      teardown: this.command('teardown', flags),
    };
  }

  /** Detaches what is attached, and removes all that was made but for the record, which goes last. */
  async takeAway(place: StorePlace): Promise<void> {
    await this.maker.detach(place);
    this.removeFiles(place);
  }

  /**
   * Removes the same of what is detached. What is mounted there still is the user's, and was so below the store, or came in its place:
   * it stays, as does what is in the folder of a store that was mounted on it.
   */
  removeFiles({ image }: StorePlace): void {
    const isMounted = findMountAt(this.#home) !== undefined;
    if (this.maker.inHome !== true) {
      if (!isMounted) removeIfEmpty(this.#home);
    } else if (!isMounted) removeTree(this.#home);
    else for (const name of listDirectory(this.#home)) removeTree(`${this.#home}/${name}`);
    removeFile(image);
  }

  forget(): void {
    removeFile(this.#record);
    removeTree(this.#folder);
  }
}

function recordText(state: StoreRecord['state'], size: number, mayGo: boolean): string {
  const record: StoreRecord = { version: 1, state, size, ...(mayGo ? { mayGo } : {}) };
  return `${JSON.stringify(record)}\n`;
}

function removeIfEmpty(folder: string): void {
  try {
    removeDirectory(folder);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'ENOTDIR')) throw error;
  }
}

/** The store of a driver by name. Fails with `InvalidParameter` where the driver needs none. */
export async function storeOf(folder: StoreFolder, name: string): Promise<MadeStore> {
  const factory = await driverFactory(name);
  if (factory.stores !== undefined) return new MadeStore(folder, factory, await factory.stores());
  throw new TsengineError(
    'InvalidParameter',
    `storage driver ${name} needs no store of its own: any file system that it can work on serves (${folder.program} driver ls)`,
  );
}
