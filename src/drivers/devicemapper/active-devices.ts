/**
 * A device of the pool is active, which is to say that it has a name and can be mounted, only while somebody uses it. Its names are
 * Docker's. A kill leaves one active, perhaps without a table or suspended: whoever uses it next goes on with it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno, TsengineError } from '../../errors.ts';
import {
  beginDevice,
  deviceStatus,
  dropDevice,
  keepDevice,
  listDevices,
  removeDevice,
  resumeDevice,
  settleDevice,
} from '../../linux/device-mapper.ts';
import { nodeOf } from '../../linux/device-node.ts';
import type { DeviceInfo } from './metadata.ts';
import type { DevicemapperOptions } from './options.ts';
import type { Pool } from './pool.ts';
import { noSuchDevice } from './pool-errors.ts';
import { thinTable } from './pool-format.ts';

/** How often, and how long apart, a device that is busy for a moment is tried again. */
const TRIES = 50;
const PAUSE = 100;
/** How often one is tried that is busy in earnest as likely as not. */
const SHORT_TRIES = 5;

/** An active device. */
export interface ActiveDevice {
  readonly node: string;
  readonly minor: number;
}

/** The active devices of one pool. */
export class ActiveDevices {
  readonly #pool: Pool;
  readonly #options: DevicemapperOptions;

  constructor(pool: Pool, options: DevicemapperOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /** What a layer's device is called. */
  nameOf(id: string): string {
    return `${this.#pool.prefix}-${id}`;
  }

  /** The devices of this home that have a name, but for the pool. */
  names(): string[] {
    const { prefix, name: pool } = this.#pool;
    return listDevices().filter((name) => name.startsWith(`${prefix}-`) && name !== pool);
  }

  /** Lets those go on that were suspended for a snapshot which nobody finished. */
  resumeAll(): void {
    for (const name of this.names()) if (deviceStatus(name)?.isSuspended === true) resumeDevice(name);
  }

  /** Gives a layer's device a name, at which it can be mounted; udev may be at work on it still (`settle`). With the lock held. */
  async activate(id: string, info: DeviceInfo): Promise<ActiveDevice> {
    const name = this.nameOf(id);
    for (let tries = 0; ; tries++) {
      const device = deviceStatus(name);
      if (device === undefined) break;
      // What a kill left before it had a table.
      if (!device.isLive) removeDevice(name);
      else if (!device.isLeaving || keepDevice(name)) {
        // A kill while a snapshot was taken.
        if (device.isSuspended) resumeDevice(name);
        return { node: nodeOf(name, device.major, device.minor), minor: device.minor };
      } else if (tries >= TRIES) throw busy(name);
      else await sleep(PAUSE);
    }
    const pool = this.#pool.device();
    if (pool === undefined)
      throw new TsengineError('Unavailable', `devicemapper: the pool ${this.#pool.name} is not there`);
    try {
      const device = beginDevice(name, thinTable(`${pool.major}:${pool.minor}`, info.device_id, info.size));
      return { node: nodeOf(name, device.major, device.minor), minor: device.minor };
    } catch (error) {
      if (!hasErrno(error, 'ENODATA', 'ENOENT')) throw error;
      throw noSuchDevice(this.#pool.name, info.device_id, id, error);
    }
  }

  /** Returns when udev is done with a device that was activated. */
  settle(id: string): void {
    settleDevice(this.nameOf(id));
  }

  /** Takes the name of a device away, at once or, where that may be deferred, as soon as nobody uses it. */
  deactivate(id: string): void {
    const name = this.nameOf(id);
    if (this.#options.defersRemoval) {
      dropDevice(name, true);
      return;
    }
    for (let tries = 0; ; tries++) {
      try {
        dropDevice(name);
        return;
      } catch (error) {
        if (!hasErrno(error, 'EBUSY')) throw error;
        if (tries >= TRIES) throw busy(name);
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
    }
  }

  /** Takes the name of a device away that is to be deleted. Gives false where somebody has it open and deletion may be deferred. */
  async isIdle(id: string): Promise<boolean> {
    const name = this.nameOf(id);
    for (let tries = 0; ; tries++) {
      try {
        if (dropDevice(name)) return true;
      } catch (error) {
        if (!hasErrno(error, 'EBUSY')) throw error;
        if (this.#options.defersDeletion && tries >= 2) return false;
        if (tries >= TRIES) throw busy(name);
      }
      await sleep(this.#options.defersDeletion ? PAUSE / 10 : PAUSE);
    }
  }

  /** Takes all names away. Gives false as soon as one is in use. */
  async removeAll(): Promise<boolean> {
    // The pool of a view (frozen-view.ts) comes after its device then.
    for (const name of this.names().sort()) {
      for (let tries = 0; !isRemoved(name); tries++) {
        if (tries >= SHORT_TRIES) return false;
        await sleep(PAUSE);
      }
    }
    return true;
  }
}

function isRemoved(name: string): boolean {
  try {
    return removeDevice(name);
  } catch (error) {
    if (hasErrno(error, 'EBUSY')) return false;
    throw error;
  }
}

function busy(name: string): TsengineError {
  return new TsengineError(
    'Conflict',
    `devicemapper: the device ${name} is busy: another process or mount namespace has it open`,
  );
}
