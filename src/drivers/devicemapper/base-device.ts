/**
 * The base device: an empty filesystem of which every layer without a parent is a snapshot. It is made once a pool.
 *
 * A kill while it is made leaves one that is not said to be initialized, which the next start deletes; one while it grows leaves
 * it with the new size on record and the old filesystem, which the next start that is asked for that size grows.
 */
import { errorMessage, TsengineError } from '../../errors.ts';
import {
  closeFile,
  fsync,
  makeDirectories,
  openFile,
  readTextIfAny,
  removeFile,
  writeAll,
  writeNewFile,
} from '../../linux/files.ts';
import { growFilesystem } from '../../linux/grow-filesystem.ts';
import { MS_NOATIME } from '../../linux/mount.ts';
import { badOption } from '../storage-options.ts';
import { nodeOfNumber } from './block-part.ts';
import { type DeviceSet, dropMount } from './device-set.ts';
import {
  chooseFilesystem,
  findFilesystem,
  type MakeFilesystem,
  makeFilesystem,
  mountLayer,
  noFilesystem,
} from './layer-filesystem.ts';
import { BASE, type DeviceInfo } from './metadata.ts';
import type { DevicemapperOptions } from './options.ts';
import { LOOKED_AT } from './signature.ts';

/** The base device of one set. Its methods are to be called with the set's lock held. */
export class BaseDevice {
  readonly #set: DeviceSet;
  readonly #options: DevicemapperOptions;
  readonly #verified: string;
  readonly #warn: (message: string) => void;

  constructor(
    set: DeviceSet,
    options: DevicemapperOptions,
    runHome: string,
    warn: (message: string) => void,
  ) {
    this.#set = set;
    this.#options = options;
    this.#verified = `${runHome}/verified`;
    this.#warn = warn;
  }

  /** Whether it was found in this very pool, and nothing was left to do then. */
  isVerified(): boolean {
    const [pool, size] = (readTextIfAny(this.#verified) ?? '').split('\n');
    return pool === this.#poolText() && (!this.#options.isBaseSizeGiven || size === this.#sizeText());
  }

  /** For which size nothing was left to do: a kill while it grew leaves that to the next command that asks for one. */
  #sizeText(): string {
    return this.#options.isBaseSizeGiven ? String(this.#options.baseSize) : 'any';
  }

  /** The pool as it is now: another one may be named, or be made in its place. */
  #poolText(): string {
    const { pool } = this.#set;
    const { data, metadata } = pool.devices();
    return `${pool.name} ${metadata} ${data}`;
  }

  /** Whether it is there and is to grow no more. */
  isReady(): boolean {
    const info = this.#set.find(BASE);
    if (info?.initialized !== true) return false;
    return !this.#options.isBaseSizeGiven || info.size === this.#options.baseSize;
  }

  /** The filesystem that is to be made, and with which program; `undefined` when the device is there. Fails where it cannot be made. */
  toMake(): MakeFilesystem | undefined {
    if (this.#set.find(BASE)?.initialized === true) return undefined;
    return chooseFilesystem(this.#options.filesystem);
  }

  /** Sees that the pool is the one that the layers are in, before anything is changed in it. One that was not made yet may be in any. */
  async verify(): Promise<void> {
    removeFile(this.#verified);
    // A pool that has failed says so.
    this.#set.pool.status();
    const info = this.#set.find(BASE);
    if (info?.initialized === true) await this.#verify(info);
  }

  /** Makes the device, or lets it grow. The pool is verified. */
  async prepare(): Promise<void> {
    const found = this.#set.metadata.device(BASE);
    removeFile(this.#verified);
    if (found?.initialized === true && !found.deleted) await this.#grow(found);
    else await this.#begin(found);
    writeNewFile(this.#verified, `${this.#poolText()}\n${this.#sizeText()}`, { durable: false });
  }

  /** Makes the device, anew where a kill left one that is half made. */
  async #begin(found: DeviceInfo | undefined): Promise<void> {
    const { pool } = this.#set;
    // Two data roots may be told to have the same one, and each finds it empty.
    using _lock = await pool.lock();
    // A step that is not the pool's last was one in another pool, whose device has that number.
    const isLast = found?.transaction_id === pool.status().transaction;
    if (!isLast) {
      this.#startOver(false);
      this.#mustBeEmpty();
    }
    if (found !== undefined) {
      // A kill while it was tried.
      dropMount(this.#set.mountPoint(BASE));
      await this.#set.delete(BASE);
      this.#startOver(true);
    }
    await this.#make();
  }

  /**
   * An empty pool that steps of this home alone have counted up counts as new: none of them made anything that is there. That they
   * did is known (`isOurs`), or told by the last one, which is the second at least where a device was made and deleted.
   */
  #startOver(isOurs: boolean): void {
    const { metadata, pool } = this.#set;
    const { dataUsed, transaction } = pool.status();
    const last = metadata.transaction()?.open_transaction_id;
    const isCounted = isOurs || (transaction > 1 && last === transaction);
    const isBare = dataUsed === 0 && metadata.device(BASE) === undefined && metadata.ids().length === 0;
    if (transaction > 0 && isCounted && isBare) this.#set.rewind(0);
  }

  /** A pool that others have used is not taken over: its devices would be somebody's. */
  #mustBeEmpty(): void {
    const { pool } = this.#set;
    if (pool.isOurs && pool.files.data !== undefined && pool.files.metadata !== undefined) return;
    const { dataUsed, transaction } = pool.status();
    if (dataUsed === 0 && transaction === 0) return;
    const why = dataUsed === 0 ? 'has a transaction ID that is not zero' : 'already has used data blocks';
    throw new TsengineError(
      'Conflict',
      `devicemapper: unable to take ownership of the thin pool ${pool.name}, which ${why}: give an empty one`,
    );
  }

  async #make(): Promise<void> {
    const chosen = chooseFilesystem(this.#options.filesystem);
    const { metadata } = this.#set;
    const { baseSize } = this.#options;
    this.#mustHaveRoom(chosen);
    const { transaction } = this.#set.pool.status();
    const info = await this.#set.create(BASE, undefined, baseSize);
    try {
      await this.#format(chosen, info);
    } catch (error) {
      await this.#unmake(transaction);
      throw error;
    }
    metadata.writeDevice(BASE, { ...info, initialized: true });
  }

  /** Deletes what could not be made. A pool that somebody else keeps and that is empty again is taken next time. */
  async #unmake(transaction: number): Promise<void> {
    try {
      const { dataUsed } = this.#set.pool.status();
      await this.#set.delete(BASE);
      if (this.#set.metadata.device(BASE) !== undefined) return;
      this.#set.rewind(transaction);
      this.#blank(dataUsed);
    } catch (error) {
      this.#warn(`devicemapper: could not undo what failed, the next command will: ${errorMessage(error)}`);
    }
  }

  /**
   * Clears the start of a data device that was named, of which mkfs had so many blocks and nobody has any now: the next try would
   * take what it wrote for somebody's filesystem.
   */
  #blank(blocks: number): void {
    const { pool } = this.#set;
    if (!pool.isOurs || pool.files.data !== undefined || pool.status().dataUsed > 0) return;
    const { data, blockBytes } = pool.devices();
    const node = nodeOfNumber(data);
    const fd = openFile(node, 'r+');
    try {
      writeAll(fd, Buffer.alloc(Math.min(LOOKED_AT, blocks * blockBytes)), 0, node);
      fsync(fd, node);
    } finally {
      closeFile(fd);
    }
  }

  /** ext4's tables are written all; what mke2fs.conf(5) says of large ones is the least of it. They would fill the pool, and the disk. */
  #mustHaveRoom({ type }: MakeFilesystem): void {
    const { baseSize, mkfsArguments } = this.#options;
    const { pool } = this.#set;
    if (type !== 'ext4' || mkfsArguments.length > 0) return;
    const { dataTotal, dataUsed } = pool.status();
    const room = (dataTotal - dataUsed) * pool.devices().blockBytes;
    if (baseSize / 128 <= room) return;
    throw badOption(
      `devicemapper: the pool has ${room} bytes, less than ext4's tables take on a base device of ${baseSize}: give a smaller dm.basesize, or dm.fs=xfs`,
    );
  }

  async #format(chosen: MakeFilesystem, info: DeviceInfo): Promise<void> {
    const { metadata } = this.#set;
    try {
      const { node, minor } = await this.#set.active.activate(BASE, info);
      await makeFilesystem(chosen, node, this.#options);
      this.#tryMount(node, minor);
      const made = findFilesystem(node);
      metadata.writeDeviceSet({
        ...metadata.deviceSet(),
        BaseDeviceUUID: made?.uuid ?? '',
        BaseDeviceFilesystem: chosen.type,
      });
    } finally {
      this.#set.active.deactivate(BASE);
    }
  }

  /** Options that the filesystem does not take are found while all can be undone. */
  #tryMount(node: string, minor: number): void {
    const { mountOptions, xfsNospaceRetries } = this.#options;
    if (mountOptions === '') return;
    const target = this.#set.mountPoint(BASE);
    try {
      makeDirectories(target, 0o700);
      mountLayer({ node, minor, target, options: mountOptions, xfsNospaceRetries, flags: MS_NOATIME });
    } finally {
      dropMount(target);
    }
  }

  async #verify(info: DeviceInfo): Promise<void> {
    const { metadata } = this.#set;
    const known = metadata.deviceSet();
    // One that a kill left active may be of the pool that was named then.
    this.#set.active.deactivate(BASE);
    const { node } = await this.#set.active.activate(BASE, info);
    let found: ReturnType<typeof findFilesystem>;
    try {
      found = findFilesystem(node);
    } finally {
      this.#set.active.deactivate(BASE);
    }
    if (found === undefined) throw noFilesystem(node);
    const { uuid, type } = found;
    if (known.BaseDeviceUUID !== '' && known.BaseDeviceUUID !== uuid) {
      throw new TsengineError(
        'Conflict',
        `devicemapper: the base device's UUID is ${uuid} and not ${known.BaseDeviceUUID}: ${this.#set.pool.name} is another pool than the layers were made in`,
      );
    }
    if (known.BaseDeviceUUID === '' || known.BaseDeviceFilesystem === '') {
      metadata.writeDeviceSet({ ...known, BaseDeviceUUID: uuid, BaseDeviceFilesystem: type });
    }
  }

  /** Says so where another filesystem is asked for than it has. To be called once it is there. */
  warnOfFilesystem(): void {
    const wanted = this.#options.filesystem;
    if (wanted === undefined) return;
    const { BaseDeviceFilesystem: type } = this.#set.metadata.deviceSet();
    if (type === '' || type === wanted) return;
    this.#warn(
      `devicemapper: the base device has ${type} on it already: dm.fs=${wanted} is ignored; choose another --data-root for that`,
    );
  }

  async #grow(info: DeviceInfo): Promise<void> {
    const { baseSize, isBaseSizeGiven } = this.#options;
    if (!isBaseSizeGiven) return;
    this.mayHave(info.size, baseSize);
    const grown = { ...info, size: baseSize };
    if (baseSize > info.size) this.#set.metadata.writeDevice(BASE, grown);
    await growLayer(this.#set, this.#options, BASE, grown);
  }

  /** Fails where a size is less than that of the base device: devices never shrink. */
  mayHave(least: number, size: number): void {
    if (size >= least) return;
    throw new TsengineError(
      'InvalidParameter',
      `devicemapper: dm.basesize is ${size} bytes, and the base device has ${least} bytes already, which cannot become fewer`,
    );
  }
}

/** Gives the filesystem of a device that nobody uses the device's size. With the set's lock held. */
export async function growLayer(
  set: DeviceSet,
  options: DevicemapperOptions,
  id: string,
  info: DeviceInfo,
): Promise<void> {
  const { node, minor } = await set.active.activate(id, info);
  const target = set.mountPoint(id);
  // A kill while it grew.
  dropMount(target);
  try {
    makeDirectories(target, 0o700);
    const type = findFilesystem(node)?.type ?? 'ext4';
    const { mountOptions, xfsNospaceRetries } = options;
    mountLayer({ node, minor, target, options: mountOptions, xfsNospaceRetries, flags: MS_NOATIME });
    growFilesystem(target, type, node);
  } finally {
    dropMount(target);
    set.active.deactivate(id);
  }
}
