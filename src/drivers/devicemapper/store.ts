/** A thin pool on the loop files in the driver's home: what the driver makes by itself, of a size that was asked for. */

import { realpathSync } from 'node:fs';
import { hasErrno, TsengineError } from '../../errors.ts';
import { shellWord } from '../../linux/command.ts';
import { deviceMapperVersion, resumeDevice } from '../../linux/device-mapper.ts';
import { pathExists, removeFile } from '../../linux/files.ts';
import { unmount } from '../../linux/mount.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import type { StoreMaker, StorePlace } from '../driver.ts';
import { MountCounter } from '../mount-counter.ts';
import { storeInUse } from '../store-in-use.ts';
import { ActiveDevices } from './active-devices.ts';
import { Metadata } from './metadata.ts';
import { invalid, readEngineOptions } from './options.ts';
import { Pool } from './pool.ts';

/** See `StoreMaker`. The driver activates the pool itself when it is opened. */
export const devicemapperStore: StoreMaker = {
  inHome: true,

  async check() {
    const { devicemapperFactory } = await import('./index.ts');
    const support = await devicemapperFactory.probe({
      home: '/',
      runHome: '/',
      options: [],
      warn: () => undefined,
    });
    if (!support.supported) throw new TsengineError('Unavailable', support.reason);
  },

  checkOptions(options) {
    const { source, loopDataSize } = readEngineOptions({ options });
    if (source.kind !== 'own' || source.data !== undefined || source.metadata !== undefined)
      throw invalid(
        'driver setup makes a pool on files: what names a device needs none (docs/devicemapper.md)',
      );
    if (loopDataSize !== undefined) throw invalid('dm.loopdatasize is what --size says: give that alone');
  },

  async make({ home, runHome, size }, given) {
    const { devicemapperFactory } = await import('./index.ts');
    const options = [...given, ['dm.loopdatasize', `${size}`]] as const;
    await devicemapperFactory.open({ home, runHome, options, warn: () => undefined });
  },

  async isAttached() {
    return true;
  },

  async attach() {},

  /** Nothing of the store is read: it may be half made, and its pool may have failed. */
  async detach(place) {
    const { home, runHome } = place;
    if (!pathExists(home) || !hasDeviceMapper()) return;
    const options = readEngineOptions({ options: [] });
    const pool = new Pool(home, options);
    const metadata = new Metadata(home);
    metadata.make();
    using _lock = await metadata.lock();
    if (!(await takeDown(home, pool, new ActiveDevices(pool, options)))) throw storeInUse(place);
    removeFile(`${runHome}/verified`);
    new MountCounter(runHome).forget();
  },

  commandToTakeDown(home) {
    if (!pathExists(home) || !hasDeviceMapper()) return undefined;
    const pool = new Pool(home, readEngineOptions({ options: [] }));
    return pool.device() === undefined ? undefined : `dmsetup remove ${shellWord(pool.name)}`;
  },
};

function hasDeviceMapper(): boolean {
  try {
    deviceMapperVersion();
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENODEV')) return false;
    throw error;
  }
}

/** Takes away all mounts, devices and the pool. Gives false as soon as one is in use. */
async function takeDown(home: StorePlace['home'], pool: Pool, active: ActiveDevices): Promise<boolean> {
  // A kill may have left them stopped, and unmounting would wait for ever.
  if (pool.device()?.isSuspended === true) resumeDevice(pool.name);
  active.resumeAll();
  return unmountAll(`${home}/mnt`) && (await active.removeAll()) && pool.deactivate();
}

/** From the innermost: a container's own mounts may be left inside its layer's. */
function unmountAll(mounts: string): boolean {
  if (!pathExists(mounts)) return true;
  const prefix = Buffer.from(`${realpathSync.native(mounts)}/`);
  const ours = readMountInfo().filter((entry) => entry.mountPoint.indexOf(prefix) === 0);
  try {
    for (const { mountPoint } of ours.reverse()) unmount(mountPoint);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EBUSY')) return false;
    throw error;
  }
}
