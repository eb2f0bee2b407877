/**
 * The devices of a pool, one a layer, and what makes and deletes them in one step over all processes and kills.
 *
 * A change is a transaction, as Docker's: `transaction-metadata` gets the pool's transaction number plus one, with the device
 * that is made or deleted; then the pool and the device's file are changed; then the pool is told its new number, in one step
 * with which the change is done. Whoever finds a transaction begun whose number the pool has not deletes its device and its
 * file: what was to be made was never there, and what was to be deleted is gone. All of that with the set's lock held.
 */
import { errorMessage, hasErrno } from '../../errors.ts';
import { discardDevice } from '../../linux/block-device.ts';
import {
  deviceStatus,
  dropDevice,
  removeDevice,
  resumeDevice,
  suspendDevice,
  unlessGone,
} from '../../linux/device-mapper.ts';
import {
  listDirectory,
  makeDirectories,
  pathExists,
  removeDirectory,
  removeFile,
  writeFileAtomic,
} from '../../linux/files.ts';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { isLayerId, layerExists, noSuchLayer } from '../layer-id.ts';
import { isMountPoint } from '../mount-counter.ts';
import { ActiveDevices } from './active-devices.ts';
import { DeviceIds } from './device-ids.ts';
import {
  BASE,
  type DeviceInfo,
  hashOf,
  idOf,
  type Metadata,
  MOST_DEVICE_ID,
  type Transaction,
} from './metadata.ts';
import type { DevicemapperOptions } from './options.ts';
import type { Pool } from './pool.ts';
import { noSuchDevice, notWritable } from './pool-errors.ts';
import type { PoolStatus } from './pool-format.ts';
import { mustHaveRoom } from './room.ts';

const DRIVER = 'devicemapper';

/** What a set is made of. */
export interface DeviceSetParts {
  readonly pool: Pool;
  readonly metadata: Metadata;
  readonly options: DevicemapperOptions;
  /** A folder on tmpfs for what a reboot may forget. */
  readonly runHome: string;
  /** The folder of the mount points. */
  readonly mounts: string;
  warn(message: string): void;
}

/** The devices of one driver's home. Every method that says so is to be called with the set's lock held. */
export class DeviceSet {
  readonly pool: Pool;
  readonly metadata: Metadata;
  readonly active: ActiveDevices;
  readonly #options: DevicemapperOptions;
  readonly #runHome: string;
  readonly #mounts: string;
  readonly #ids: DeviceIds;
  readonly #warn: (message: string) => void;

  constructor({ pool, metadata, options, runHome, mounts, warn }: DeviceSetParts) {
    this.pool = pool;
    this.metadata = metadata;
    this.active = new ActiveDevices(pool, options);
    this.#options = options;
    this.#runHome = runHome;
    this.#mounts = mounts;
    this.#ids = new DeviceIds(metadata, runHome);
    this.#warn = warn;
  }

  /** A layer's device; `undefined` where there is none, or it is deleted. */
  find(id: string): DeviceInfo | undefined {
    const info = this.metadata.device(id);
    return info === undefined || info.deleted ? undefined : info;
  }

  /** The same. Fails with `NotFound`. */
  must(id: string): DeviceInfo {
    const info = this.find(id);
    if (info === undefined) throw noSuchLayer(DRIVER, id);
    return info;
  }

  /** Where a layer is mounted while somebody uses it. */
  mountPoint(id: string): string {
    return `${this.#mounts}/${id}`;
  }

  /** All mount points that are there. */
  mountPoints(): string[] {
    return listDirectory(this.#mounts).map((name) => `${this.#mounts}/${name}`);
  }

  /** Undoes a transaction that nobody finished, and lets devices go on that it had suspended. With the lock held. */
  recover(): void {
    const { transaction, mode, needsCheck } = this.pool.status();
    const begun = this.metadata.transaction();
    if (begun === undefined || begun.open_transaction_id <= transaction) return;
    // Only the next one can have been begun here: what an older pool lacks was done, and is nobody's to delete.
    if (begun.open_transaction_id > transaction + 1) {
      throw this.metadata.tooFarAhead(begun, this.pool.name, transaction);
    }
    // Then nothing can be undone, and what there is can still be read.
    if (mode === 'ro' || needsCheck) return;
    this.active.resumeAll();
    const id = idOf(begun.device_hash);
    this.#drop(id, begun.device_id);
    this.metadata.writeTransaction({ ...begun, open_transaction_id: transaction });
  }

  /** Deletes a device with its file. One that belongs to another layer by now stays. */
  #drop(id: string, deviceId: number): void {
    dropMount(this.mountPoint(id));
    removeDevice(this.active.nameOf(id), true);
    const info = this.metadata.device(id);
    try {
      if (!this.#belongsToOther(id, deviceId)) this.#deleteFromPool(deviceId);
    } catch (error) {
      if (!hasErrno(error, 'EBUSY')) throw error;
      if (info?.device_id === deviceId) this.#deleteLater(id, info);
      return;
    }
    if (info?.device_id === deviceId) this.metadata.removeDevice(id);
  }

  #belongsToOther(id: string, deviceId: number): boolean {
    return [BASE, ...this.metadata.ids()].some(
      (other) => other !== id && this.metadata.device(other)?.device_id === deviceId,
    );
  }

  /** One that the pool does not have is no error. */
  #deleteFromPool(deviceId: number): void {
    try {
      this.pool.message('delete', deviceId);
    } catch (error) {
      if (!hasErrno(error, 'ENODATA', 'ENOENT')) throw error;
    }
  }

  /**
   * Makes a device: an empty one without a `parent`, else a snapshot of it. `finish` is part of the transaction: when it throws
   * nothing is left. With the lock held.
   */
  async create(
    id: string,
    parent: string | undefined,
    size: number,
    finish: (info: DeviceInfo) => void | Promise<void> = () => {},
  ): Promise<DeviceInfo> {
    const status = this.#mustTakeMore();
    const origin = parent === undefined ? undefined : this.must(parent);
    const deviceId = this.#ids.free(status.transaction);
    const next = status.transaction + 1;
    return await this.#transact(
      { open_transaction_id: next, device_hash: hashOf(id), device_id: deviceId },
      async (begun) => {
        const made = this.#make(begun, parent, origin?.device_id);
        const info = { device_id: made, size, transaction_id: next, initialized: false, deleted: false };
        this.metadata.writeDevice(id, info);
        await finish(info);
        this.#ids.note(next, made + 1);
        return info;
      },
    );
  }

  /** Makes the device in the pool and gives its number: another one, if the pool knows that one and we did not. */
  #make(begun: Transaction, parent: string | undefined, origin: number | undefined): number {
    for (let deviceId = begun.device_id; ; deviceId = (deviceId + 1) & MOST_DEVICE_ID) {
      if (deviceId !== begun.device_id) this.metadata.writeTransaction({ ...begun, device_id: deviceId });
      try {
        if (parent === undefined || origin === undefined) this.pool.message('create_thin', deviceId);
        else this.#snapshot(parent, deviceId, origin);
        return deviceId;
      } catch (error) {
        if (!hasErrno(error, 'EEXIST')) throw error;
      }
    }
  }

  /** A device that is in use is stopped for the moment, with its filesystem written and consistent. */
  #snapshot(parent: string, deviceId: number, origin: number): void {
    const name = this.active.nameOf(parent);
    const isStopped = this.#stop(name);
    try {
      this.pool.message('create_snap', deviceId, origin);
    } catch (error) {
      if (!hasErrno(error, 'ENODATA', 'ENOENT')) throw error;
      throw noSuchDevice(this.pool.name, origin, parent, error);
    } finally {
      if (isStopped) unlessGone(name, () => resumeDevice(name));
    }
  }

  #stop(name: string): boolean {
    if (deviceStatus(name)?.isLive !== true) return false;
    return unlessGone(name, () => suspendDevice(name));
  }

  /** Does one transaction; undoes it when it fails. Where even that fails, as on a full disk, the next start does. */
  async #transact<T>(begun: Transaction, work: (begun: Transaction) => T | Promise<T>): Promise<T> {
    const before = begun.open_transaction_id - 1;
    this.metadata.writeTransaction(begun);
    try {
      const result = await work(begun);
      this.pool.message('set_transaction_id', before, begun.open_transaction_id);
      // The kernel says nothing of a number that it could not write: it goes back to what it wrote last, and writes no more.
      const status = this.pool.status();
      if (status.transaction !== begun.open_transaction_id) throw notWritable(this.pool, status);
      return result;
    } catch (error) {
      try {
        this.recover();
      } catch (second) {
        this.#warn(
          `devicemapper: could not undo what failed, the next command will: ${errorMessage(second)}`,
        );
      }
      throw error;
    }
  }

  /** Gives the pool the number of a transaction after which nothing was left. With the lock held. */
  rewind(transaction: number): void {
    const begun = this.metadata.transaction();
    if (begun !== undefined) this.metadata.writeTransaction({ ...begun, open_transaction_id: transaction });
    this.pool.message('set_transaction_id', this.pool.status().transaction, transaction);
  }

  /** The pool, where it takes another device. */
  #mustTakeMore(): PoolStatus {
    const status = this.#mustBeWritable();
    mustHaveRoom(this.pool, status, this.#options.minFreePercent);
    return status;
  }

  #mustBeWritable(): PoolStatus {
    const status = this.pool.status();
    if (!status.needsCheck && status.mode !== 'ro') return status;
    throw notWritable(this.pool, status);
  }

  /** Deletes a layer's device, or marks it to be deleted when nobody uses it any more. With the lock held. */
  async delete(id: string): Promise<void> {
    const info = this.metadata.device(id);
    if (info === undefined) return;
    const { transaction } = this.#mustBeWritable();
    if (!(await this.active.isIdle(id))) {
      this.#deleteLater(id, info);
      return;
    }
    const begun = {
      open_transaction_id: transaction + 1,
      device_hash: hashOf(id),
      device_id: info.device_id,
    };
    // What fails from here on ends in the same: the device is gone.
    try {
      await this.#transact(begun, async () => {
        if (this.#options.discardsOnRemove) await this.#discard(id, info);
        this.#deleteFromPool(info.device_id);
        this.metadata.removeDevice(id);
      });
    } catch (error) {
      // Somebody opened it meanwhile, by another name.
      if (hasErrno(error, 'EBUSY') && this.find(id) === undefined) return;
      throw error;
    }
    this.#ids.keep(transaction);
    removeFile(`${this.#laterFolder()}/${id}`);
  }

  #deleteLater(id: string, info: DeviceInfo): void {
    makeDirectories(this.#laterFolder(), 0o700);
    // First: a kill in between leaves a note of a layer that is there, and that goes without harm.
    writeFileAtomic(`${this.#laterFolder()}/${id}`, '', { durable: false, alone: true });
    if (!info.deleted) this.metadata.writeDevice(id, { ...info, deleted: true });
    removeDevice(this.active.nameOf(id), true);
  }

  #laterFolder(): string {
    return `${this.#runHome}/deleted`;
  }

  /** Gives the blocks back to the file or device below the pool, which deleting does not. A device that takes none keeps them. */
  async #discard(id: string, info: DeviceInfo): Promise<void> {
    try {
      const { node } = await this.active.activate(id, info);
      discardDevice(node);
    } catch (error) {
      this.#warn(`devicemapper: could not discard the blocks of ${id}: ${errorMessage(error)}`);
    } finally {
      dropDevice(this.active.nameOf(id));
    }
  }

  /** Which deleted layers wait for their last user; as far as this run folder knows. */
  deletedLater(): string[] {
    // Others are files that are being written.
    return listDirectory(this.#laterFolder()).filter(isLayerId);
  }

  /** Notes those that files say are deleted, which a reboot or another engine left. Reads all files. */
  findDeleted(): void {
    for (const id of this.metadata.ids()) {
      const info = this.metadata.device(id);
      if (info?.deleted === true) this.#deleteLater(id, info);
    }
  }

  /** Deletes those that nobody uses any more. With the lock held. */
  async deleteWaiting(): Promise<void> {
    for (const id of this.deletedLater()) {
      if (this.metadata.device(id)?.deleted === true) await this.delete(id);
      else removeFile(`${this.#laterFolder()}/${id}`);
    }
  }

  /** Makes sure that an id is free: deletes what still waits under it, or fails with `Conflict`. With the lock held. */
  async mustBeFree(id: string): Promise<void> {
    const info = this.metadata.device(id);
    if (info?.deleted === true) await this.delete(id);
    if (this.metadata.device(id) !== undefined) throw layerExists(DRIVER, id);
  }
}

/** Unmounts what is at a layer's mount point, and removes that. An empty folder that cannot be removed does no harm. */
export function dropMount(path: string): void {
  if (isMountPoint(path)) unmount(path, MNT_DETACH);
  if (!pathExists(path)) return;
  try {
    removeDirectory(path);
  } catch (error) {
    if (!hasErrno(error, 'EBUSY', 'ENOTEMPTY', 'EROFS')) throw error;
  }
}
