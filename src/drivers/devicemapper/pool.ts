/**
 * The thin pool of a data root: made when it is not there, of loop files in `devicemapper/devicemapper/{data,metadata}` (0600,
 * sparse) or of block devices, or found where somebody else keeps it.
 *
 * A pool stays when the command ends, as mounts do, and is gone after a reboot; loop devices stay as long as it does. A kill
 * while it is made leaves files, perhaps of no size yet, and a device without a table; the next start goes on from there.
 */
import { realpathSync } from 'node:fs';
import { hasErrno, TsengineError } from '../../errors.ts';
import { blockDeviceSize, readStart } from '../../linux/block-device.ts';
import {
  createDevice,
  deviceStatus,
  listDevices,
  type MappedDevice,
  messageDevice,
  removeDevice,
  resumeDevice,
  type Target,
  targetOf,
} from '../../linux/device-mapper.ts';
import { nodeOf } from '../../linux/device-node.ts';
import { makeDirectories, pathExists } from '../../linux/files.ts';
import { type Lock, lockFile } from '../../linux/flock.ts';
import { attachLoop, isLoopOf, LOOP_MAJOR } from '../../linux/loop.ts';
import { lstat } from '../../linux/stat.ts';
import { blockPart, nodeOfNumber } from './block-part.ts';
import { givenDevices, notGiven } from './given-devices.ts';
import { mustBeUnheld, mustDiffer } from './holders.ts';
import { makeLoopFile, mustBeWhole, type PoolParts, sizeOf } from './loop-file.ts';
import { DEFAULT_BLOCK_SIZE, type DevicemapperOptions } from './options.ts';
import { fails, notMade, type Part, type Parts } from './pool-errors.ts';
import {
  type PoolDevices,
  type PoolStatus,
  parsePoolStatus,
  parsePoolTable,
  parseSuperblock,
  poolTable,
  SECTOR,
  SUPERBLOCK_SIZE,
  viewsAmong,
} from './pool-format.ts';
import { fillDevice, growAsAsked } from './pool-growth.ts';

interface DisposableParts extends Parts, Disposable {}

/** The pool of one driver's home. */
export class Pool {
  /**
   * What devices of this home are called: `docker-MAJOR:MINOR-INODE`, of the home folder, as Docker calls them. A home that is a
   * symbolic link counts as where it leads to.
   */
  get prefix(): string {
    return this.#prefix;
  }
  get name(): string {
    return this.#named ?? `${this.#prefix}-pool`;
  }
  /** Whether we made it and may take it away. */
  readonly isOurs: boolean;
  readonly #home: string;
  readonly #named: string | undefined;
  #prefix: string;
  readonly #folder: string;
  readonly #options: DevicemapperOptions;
  /** The table of the pool as `activate` left it. */
  #table: string | undefined;

  /** `home` is there. */
  constructor(home: string, options: DevicemapperOptions, name?: string) {
    this.#home = home;
    this.#named = name;
    this.#prefix = prefixOf(home);
    this.isOurs = name === undefined;
    this.#folder = `${home}/devicemapper`;
    this.#options = options;
  }

  /** Whether a device of device-mapper is of this home, by its name. */
  owns(name: string): boolean {
    return name.startsWith(`${this.#prefix}-`);
  }

  /** Learns the names anew: the home may have been taken away and made again since. */
  locate(): void {
    this.#prefix = prefixOf(this.#home);
  }

  /** The two devices that the pool is made of, or the files in place of them. Fails where it is somebody else's pool. */
  source(): PoolParts {
    const { source } = this.#options;
    if (source.kind !== 'own') throw fails(`the pool ${this.name} is not there`);
    return {
      data: { device: source.data, file: `${this.#folder}/data` },
      metadata: { device: source.metadata, file: `${this.#folder}/metadata` },
    };
  }

  /** The loop files, where they are what the pool is made of. */
  get files(): { readonly data: string | undefined; readonly metadata: string | undefined } {
    const { source } = this.#options;
    if (source.kind !== 'own') return { data: undefined, metadata: undefined };
    return {
      data: source.data === undefined ? `${this.#folder}/data` : undefined,
      metadata: source.metadata === undefined ? `${this.#folder}/metadata` : undefined,
    };
  }

  /** The pool's device; `undefined` while it is not there. A device without a table is none. */
  device(): MappedDevice | undefined {
    const device = deviceStatus(this.name);
    return device?.isLive === true ? device : undefined;
  }

  /** A lock that all data roots which are given this pool have in common; `undefined` where it is ours alone. */
  async lock(): Promise<Lock | undefined> {
    const device = this.device();
    if (this.isOurs || device === undefined) return undefined;
    return await lockFile(nodeOf(this.name, device.major, device.minor), 'exclusive');
  }

  /** Whether the pool is there. Fails where its name is that of something else. */
  isActive(): boolean {
    return isPool(this.name);
  }

  /** A loop file that the pool is to be made of and that is not there, or that a kill left without a size. */
  lostFile(): string | undefined {
    const { data, metadata } = this.files;
    return [data, metadata].find((file) => file !== undefined && sizeOf(file) === 0);
  }

  /**
   * Whether the pool of this name is on loop files that are not this home's: it is of a home that was removed, whose inode number
   * this one has got.
   */
  isStale(): boolean {
    if (!this.isActive()) return false;
    const devices = this.devices();
    return (['data', 'metadata'] as const).some((name) => {
      const [file, number] = [this.files[name], devices[name]];
      if (file === undefined || !number.startsWith(`${LOOP_MAJOR}:`)) return false;
      return !pathExists(file) || !isLoopOf(nodeOfNumber(number), file);
    });
  }

  /** Takes a stale pool down. Fails with `Conflict` while somebody uses it. With the set's lock held. */
  dropStale(): void {
    if (!this.isStale() || this.deactivate()) return;
    throw new TsengineError(
      'Conflict',
      `devicemapper: the pool ${this.name} is on loop files that are no longer in ${this.#folder}, and in use: stop what uses it, then take it down with dmsetup remove`,
    );
  }

  /** How the pool does. Fails where the kernel has given it up, or it is not there. */
  status(): PoolStatus {
    const target = targetOf(this.name, 'status');
    if (target === undefined) throw fails(`the pool ${this.name} is not there`);
    const status = parsePoolStatus(target);
    if (status !== undefined) return status;
    throw fails(
      `the pool ${this.name} has failed: look at the kernel's messages, take it down with dmsetup remove and run thin_check on its metadata`,
    );
  }

  /** What the pool is made of. */
  devices(): PoolDevices {
    const table = targetOf(this.name, 'table');
    if (table === undefined) throw fails(`the pool ${this.name} is not there`);
    return parsePoolTable(table);
  }

  /** Sends a message to the pool. */
  message(...words: readonly (string | number)[]): void {
    messageDevice(this.name, words.join(' '));
  }

  /** Whether the pool is as `activate` left it, so that nothing is to be done but to use it. */
  isUnchanged(): boolean {
    if (this.#table === undefined || this.device()?.isSuspended !== false) return false;
    return targetOf(this.name, 'table')?.parameters === this.#table;
  }

  /**
   * Makes the pool when it is not there, of the size that its metadata knows, and lets one that is there grow where a larger loop file
   * was asked for. With the set's lock held.
   */
  activate(): void {
    this.#activate();
    this.#table = targetOf(this.name, 'table')?.parameters;
  }

  #activate(): void {
    if (this.isActive()) {
      // A kill while it grew.
      if (this.device()?.isSuspended === true) resumeDevice(this.name);
      this.#mustBeOnNamed();
      checkBlockSize(this.devices().blockBytes, this.#options, `the pool ${this.name}`);
      if (this.isOurs) growAsAsked(this, this.#options);
      return;
    }
    if (!this.isOurs) mustBePool(this.name);
    // What a kill left before it had a table.
    removeDevice(this.name);
    const isNew = this.lostFile() !== undefined;
    using parts = this.#parts();
    const table = this.#tableOf(parts);
    this.#mustBeFree(parts);
    try {
      createDevice(this.name, table);
    } catch (error) {
      throw notMade(parts, isNew, error);
    }
    try {
      // Another home's pool may have come at the same moment, which the kernel allows.
      this.#mustBeFree(parts);
    } catch (error) {
      removeDevice(this.name, true);
      throw error;
    }
  }

  /**
   * Gives a pool that has just come up the sizes that were asked for, and all of a data device that has become larger. Only when it is
   * known to be that device: the kernel then never takes a smaller one again. One that cannot have all of it goes on as it is, and
   * `warn` takes why. With the set's lock held.
   */
  fill(warn: (message: string) => void): void {
    if (!this.isOurs) return;
    growAsAsked(this, this.#options);
    fillDevice(this, warn);
    this.#table = targetOf(this.name, 'table')?.parameters;
  }

  #mustBeFree({ data, metadata }: Parts): void {
    mustDiffer(data, metadata);
    // A pool that somebody looks through has its blocks where that metadata says.
    for (const { name, maker } of viewsAmong(listDevices().filter((one) => this.owns(one)))) {
      // What a kill left of somebody who looked.
      if (!pathExists(`/proc/${maker}`) && removeIfIdle(name)) continue;
      throw new TsengineError(
        'Conflict',
        `devicemapper: a command with --read-only-root reads the layers in ${this.#home} through ${name}: wait until it has ended`,
      );
    }
    for (const part of [data, metadata]) mustBeUnheld(part, (name) => this.owns(name));
  }

  /** Devices that were named and that the pool is not on would be passed over without a word, and files be looked for that are none. */
  #mustBeOnNamed(): void {
    const { source } = this.#options;
    if (source.kind !== 'own') return;
    const devices = this.devices();
    const leftOut = (['data', 'metadata'] as const).filter(
      (name) => source[name] === undefined && !devices[name].startsWith(`${LOOP_MAJOR}:`),
    );
    if (leftOut.length > 0) {
      const found = leftOut.map((name) => [`dm.${name}dev`, nodeOfNumber(devices[name])] as const);
      throw notGiven(this.#home, givenDevices(this.#home) ?? Object.fromEntries(found), this.name);
    }
    for (const name of ['data', 'metadata'] as const) {
      const named = source[name];
      if (named === undefined || blockPart(named).number === devices[name]) continue;
      throw new TsengineError(
        'InvalidParameter',
        `devicemapper: the pool ${this.name} has its ${name} on ${nodeOfNumber(devices[name])}, not on ${named}: leave dm.${name}dev out, or choose another --data-root`,
      );
    }
  }

  /** Takes the pool away, if it is ours and nothing uses it. Gives whether it is gone. */
  deactivate(): boolean {
    return this.isOurs && removeIfIdle(this.name);
  }

  /** A larger device may be the wrong one, which would count in the metadata from then on. */
  #tableOf({ data, metadata }: Parts): Target {
    const block = checkedBlockSize(metadata, this.#options);
    const size = blockDeviceSize(data.node);
    if (size < block)
      throw fails(`${data.path} has ${size} bytes, which hold not one block of ${block} bytes`);
    const known = parseSuperblock(readStart(metadata.node, SUPERBLOCK_SIZE), metadata.path);
    // None yet where a kill came before the pool first went on.
    const bytes = known === undefined || known.dataBytes === 0 ? size : known.dataBytes;
    return poolTable({ data: data.number, metadata: metadata.number }, bytes, block);
  }

  #parts(): DisposableParts {
    const source = this.source();
    mustBeWhole(source);
    using stack = new DisposableStack();
    const part = (name: 'data' | 'metadata'): Part => {
      const { device, file } = source[name];
      if (device !== undefined) return blockPart(device);
      makeDirectories(this.#folder, 0o700);
      makeLoopFile(name, file, this.#wanted(name));
      const loop = stack.use(attachLoop(file));
      return { path: file, node: loop.path, number: `${loop.major}:${loop.minor}` };
    };
    const [data, metadata] = [part('data'), part('metadata')];
    const held = stack.move();
    return { data, metadata, [Symbol.dispose]: () => held.dispose() };
  }

  #wanted(name: 'data' | 'metadata'): number | undefined {
    return name === 'data' ? this.#options.loopDataSize : this.#options.loopMetadataSize;
  }

  /** How many bytes the pool's table covers. */
  size(): number {
    return (targetOf(this.name, 'table')?.sectors ?? 0) * SECTOR;
  }
}

/** Takes a device away unless somebody uses it. Gives whether it is gone. */
function removeIfIdle(name: string): boolean {
  try {
    return removeDevice(name);
  } catch (error) {
    if (hasErrno(error, 'EBUSY')) return false;
    throw error;
  }
}

function prefixOf(home: string): string {
  const { devMajor, devMinor, ino } = lstat(realpathSync.native(home));
  return `docker-${devMajor}:${devMinor}-${ino}`;
}

/** Whether there is a pool of this name. Fails where it is that of something else. */
function isPool(name: string): boolean {
  const table = targetOf(name, 'table');
  if (table === undefined) return false;
  if (table.type === 'thin-pool') return true;
  throw fails(`/dev/mapper/${name} is a device of type ${table.type} and no thin pool: name another one`);
}

/** Fails where there is no pool of this name. */
export function mustBePool(name: string): void {
  if (isPool(name)) return;
  throw fails(
    `there is no thin pool /dev/mapper/${name}: make it (see dm.thinpooldev in Docker's documentation), or activate it`,
  );
}

/** The size of a pool's blocks: what its metadata says, or what a new one gets. */
export function checkedBlockSize({ node, path }: Part, options: DevicemapperOptions): number {
  const found = parseSuperblock(readStart(node, SUPERBLOCK_SIZE), path);
  if (found === undefined) return options.blockSize ?? DEFAULT_BLOCK_SIZE;
  if (found.needsCheck) {
    throw fails(
      `the pool's metadata on ${path} needs a check: run thin_check --clear-needs-check-flag ${path}, or thin_repair`,
    );
  }
  checkBlockSize(found.blockBytes, options, `the pool on ${path}`);
  return found.blockBytes;
}

function checkBlockSize(found: number, { blockSize: wanted }: DevicemapperOptions, pool: string): void {
  if (wanted === undefined || wanted === found) return;
  throw new TsengineError(
    'InvalidParameter',
    `devicemapper: dm.blocksize is ${wanted} bytes, and ${pool} has blocks of ${found} bytes, which cannot be changed: leave the option out`,
  );
}
