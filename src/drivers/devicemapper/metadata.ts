/**
 * What Docker's devicemapper driver keeps in files, below the driver's home:
 *
 * ```
 * metadata/                    0700
 *   <id>, base                 a device: its number in the pool, its size, the transaction that made it
 *   transaction-metadata       the last transaction that was begun (see device-set.ts)
 *   deviceset-metadata         what filesystem the base device has, and its UUID
 * .tsengine/                   ours: the lock of the set; which devices were named (given-devices.ts); a file that is being written
 * ```
 *
 * Each file is JSON, and replaced in one step. They are written with the lock held; a kill leaves a file in `.tsengine`, which
 * the next start removes.
 */
import { basename } from 'node:path';
import * as z from 'zod/mini';
import { TsengineError } from '../../errors.ts';
import {
  closeFile,
  fsync,
  fsyncDirectory,
  listDirectory,
  makeDirectories,
  openFile,
  pathExists,
  readTextIfAny,
  removeFile,
  renameFile,
  writeAll,
} from '../../linux/files.ts';
import { type Lock, lockFile } from '../../linux/flock.ts';
import { schemaMessage } from '../../schema-message.ts';
import { isLayerId } from '../layer-id.ts';
import { STAGED_FOLDER } from '../staging.ts';

/** A pool numbers its devices with 24 bits. */
export const MOST_DEVICE_ID = 0xff_ffff;

const count = z.int().check(z.nonnegative());
const deviceId = z.int().check(z.nonnegative(), z.maximum(MOST_DEVICE_ID));

const DEVICE = z.object({
  device_id: deviceId,
  size: count,
  transaction_id: count,
  initialized: z.boolean(),
  deleted: z._default(z.boolean(), false),
});
/** It becomes part of paths. */
const deviceHash = z
  .string()
  .check(
    z.refine(
      (hash) => hash === BASE_HASH || hash === BASE || (isLayerId(hash) && !RESERVED.has(hash)),
      'no layer is called so',
    ),
  );
const TRANSACTION = z.object({
  open_transaction_id: count,
  device_hash: deviceHash,
  device_id: deviceId,
});
const DEVICE_SET = z.object({
  next_device_id: z._default(count, 0),
  BaseDeviceUUID: z._default(z.string(), ''),
  BaseDeviceFilesystem: z._default(z.string(), ''),
});

/** A device of the pool, as its file has it. */
export type DeviceInfo = z.infer<typeof DEVICE>;
/** A transaction that was begun. */
export type Transaction = z.infer<typeof TRANSACTION>;
/** What holds for all devices. */
export type DeviceSetInfo = z.infer<typeof DEVICE_SET>;

/** The base device's name among the layers, and in transactions as Docker writes it. */
export const BASE = 'base';
const BASE_HASH = '';
const DEVICE_SET_FILE = 'deviceset-metadata';
const TRANSACTION_FILE = 'transaction-metadata';
/** Ids that would be a file of the set's own. */
export const RESERVED: ReadonlySet<string> = new Set([BASE, DEVICE_SET_FILE, TRANSACTION_FILE]);

/** How Docker calls a device in a transaction. */
export function hashOf(id: string): string {
  return id === BASE ? BASE_HASH : id;
}

/** The reverse of `hashOf`. */
export function idOf(hash: string): string {
  return hash === BASE_HASH ? BASE : hash;
}

/** Which devices were named for the pool, in `ownFolder`. */
export const GIVEN_FILE = 'given-devices.json';

/** The folder of what is ours, in a driver's home. */
export function ownFolder(home: string): string {
  return `${home}/${STAGED_FOLDER}`;
}

/** The files of one driver's home. */
export class Metadata {
  readonly #folder: string;
  readonly #own: string;

  constructor(home: string) {
    this.#folder = `${home}/metadata`;
    this.#own = ownFolder(home);
  }

  /** Makes the folders that are missing. */
  make(): void {
    if (!pathExists(this.#folder)) makeDirectories(this.#folder, 0o700);
    if (!pathExists(this.#own)) makeDirectories(this.#own, 0o700);
  }

  /** Orders all that changes the pool or these files, over all processes. */
  async lock(): Promise<Lock> {
    return await lockFile(`${this.#own}/lock`, 'exclusive');
  }

  /** Names that a killed process left. */
  leftovers(): string[] {
    return listDirectory(this.#own).filter((name) => name !== 'lock' && name !== GIVEN_FILE);
  }

  /** Removes them. With the lock held. */
  sweep(): void {
    for (const name of this.leftovers()) removeFile(`${this.#own}/${name}`);
  }

  /** A device by its layer's id or as `BASE`; `undefined` where there is none. */
  device(id: string): DeviceInfo | undefined {
    return this.#read(id, DEVICE);
  }

  /** The transaction that was begun last. */
  transaction(): Transaction | undefined {
    return this.#read(TRANSACTION_FILE, TRANSACTION);
  }

  /** The error for a transaction that is not the pool's next one. */
  tooFarAhead(begun: Transaction, pool: string, transaction: number): TsengineError {
    return new TsengineError(
      'Corrupt',
      `devicemapper: ${this.#folder}/${TRANSACTION_FILE} is at step ${begun.open_transaction_id}, and the pool ${pool} at ${transaction}: it is another pool than the layers were made in, or an older copy: put both back from one backup, or remove that file to go on with what the pool has`,
    );
  }

  deviceSet(): DeviceSetInfo {
    return this.#read(DEVICE_SET_FILE, DEVICE_SET) ?? DEVICE_SET.parse({});
  }

  writeDevice(id: string, info: DeviceInfo): void {
    this.#write(id, info);
  }

  writeTransaction(transaction: Transaction): void {
    this.#write(TRANSACTION_FILE, transaction);
  }

  writeDeviceSet(info: DeviceSetInfo): void {
    this.#write(DEVICE_SET_FILE, info);
  }

  /** Removes a device's file; one that is not there is no error. */
  removeDevice(id: string): void {
    removeFile(`${this.#folder}/${id}`);
    fsyncDirectory(this.#folder);
  }

  /** The ids of all layers, deleted ones too. */
  ids(): string[] {
    return listDirectory(this.#folder).filter(
      // Docker calls what it took over from its first format so.
      (name) => isLayerId(name) && !RESERVED.has(name) && !name.endsWith('.migrated'),
    );
  }

  #read<T>(name: string, schema: z.ZodMiniType<T>): T | undefined {
    const path = `${this.#folder}/${name}`;
    const text = readTextIfAny(path);
    if (text === undefined) return undefined;
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (error) {
      throw corrupt(path, 'it is no JSON', error);
    }
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    throw corrupt(path, schemaMessage(parsed.error), parsed.error);
  }

  #write(name: string, value: object): void {
    const path = `${this.#folder}/${name}`;
    const temporary = `${this.#own}/new`;
    try {
      const fd = openFile(temporary, 'w', 0o600);
      try {
        writeAll(fd, Buffer.from(JSON.stringify(value)), null, path);
        fsync(fd, path);
      } finally {
        closeFile(fd);
      }
      renameFile(temporary, path);
    } catch (error) {
      removeFile(temporary);
      throw error;
    }
    fsyncDirectory(this.#folder);
  }
}

/** What else may be done where one of the set's own files is damaged. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  [
    BASE,
    "or remove it: new layers get a base device made anew (in a pool of tsengine's own), and those that are there stay",
  ],
  [TRANSACTION_FILE, 'or remove it: a step that was interrupted, and no other, is not undone then'],
  [DEVICE_SET_FILE, 'or remove it: it is made anew of what is on the base device'],
]);

function corrupt(path: string, why: string, cause: unknown): TsengineError {
  return new TsengineError(
    'Corrupt',
    `devicemapper: ${path} is damaged (${why}): put it back from a backup, ${ADVICE.get(basename(path)) ?? 'or remove it, and that layer is gone'}`,
    { cause },
  );
}
