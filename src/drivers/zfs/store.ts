/**
 * A ZFS pool on a file, mounted at the driver's home. It is in nobody's list of pools to import at boot (`cachefile=none`): the
 * next use imports it. A crash leaves the file, and the pool imported until the machine stops.
 *
 * Where the kernel has no module and zfs-fuse is installed, its daemon is started for the pool, and ended with the last one.
 */
import { TsengineError } from '../../errors.ts';
import { findCommand, runCommand, runOrFail } from '../../linux/command.ts';
import { makeDirectories, pathExists } from '../../linux/files.ts';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { findMountAt } from '../../linux/mountinfo.ts';
import { sha256Hex } from '../../linux/sha256.ts';
import { zfsExists } from '../../linux/zfs-core.ts';
import type { StoreMaker, StorePlace } from '../driver.ts';
import { isDeadMount } from '../mount-counter.ts';
import { makeImage, mustHaveImage } from '../store-image.ts';
import { storeInUse } from '../store-in-use.ts';
import { endIdleDaemon, ensureDaemon, hasZfsFuse, isRunning, mustTakeAttributes } from './fuse-daemon.ts';
import { isFuse } from './fuse-datasets.ts';
import { daemonsOf, exportFuse, freeElsewhere, mustBeHere } from './fuse-elsewhere.ts';
import { DEVICE, missing } from './locate.ts';

/** Two data roots never have one pool. */
function poolOf({ home }: StorePlace): string {
  return `tsengine-${sha256Hex(home).slice(0, 12)}`;
}

async function zpool(args: readonly string[], purpose: string): Promise<void> {
  await runOrFail(findCommand('zpool') ?? 'zpool', args, purpose);
}

/** Whether pools here are those of zfs-fuse. */
function byFuse(): boolean {
  return !pathExists(DEVICE) && hasZfsFuse();
}

async function isImported(pool: string): Promise<boolean> {
  if (!byFuse()) return zfsExists(pool);
  return (await runCommand('zfs', ['list', '-H', '-o', 'name', pool])).code === 0;
}

/** Has the pool's tree at its place, from a daemon that died or not: what such a one had mounted is nobody's. */
async function readyFuse(home: string): Promise<void> {
  if (findMountAt(home) !== undefined && isDeadMount(home)) unmount(home, MNT_DETACH);
  await ensureDaemon();
}

/** See `StoreMaker`. */
export const zfsStore: StoreMaker = {
  waitsForRoom: true,

  async check() {
    if (byFuse()) return;
    const reason = missing();
    if (reason !== undefined) throw new TsengineError('Unavailable', reason);
  },

  async make(place) {
    if (byFuse()) await ensureDaemon();
    makeImage(place);
    makeDirectories(place.home, 0o711);
    const options = ['-o', 'cachefile=none', '-m', place.home];
    await zpool(['create', ...options, poolOf(place), place.image], 'cannot set up zfs');
    if (!byFuse()) return;
    await mustBeHere(place, poolOf(place));
    mustTakeAttributes(place.home);
  },

  async isAttached({ home }) {
    const type = findMountAt(home)?.type;
    return type === 'zfs' || (type !== undefined && isFuse(type) && !isDeadMount(home));
  },

  async attach(place) {
    if (await this.isAttached(place)) return;
    mustHaveImage(place, 'zfs');
    await this.check();
    const pool = poolOf(place);
    if (byFuse()) {
      await freeElsewhere(place, pool);
      await readyFuse(place.home);
    }
    makeDirectories(place.home, 0o711);
    const folder = place.image.slice(0, place.image.lastIndexOf('/'));
    if (await isImported(pool))
      await runOrFail(findCommand('zfs') ?? 'zfs', ['mount', pool], 'cannot mount the pool of zfs');
    // -f: the machine that had it last may have lost its power, and no other one has the file.
    else
      await zpool(
        ['import', '-f', '-d', folder, '-o', 'cachefile=none', pool],
        'cannot attach the pool of zfs',
      );
    if (byFuse()) await mustBeHere(place, pool);
  },

  async detach(place) {
    const pool = poolOf(place);
    if (byFuse()) {
      if (findMountAt(place.home) !== undefined && isDeadMount(place.home)) unmount(place.home, MNT_DETACH);
      if (!(await isRunning())) return;
    } else if (missing() !== undefined) return;
    if (await isImported(pool)) await exportPool(place, pool);
    if (byFuse()) await endIdleDaemon();
  },

  /** The folders that layers are mounted in stay when the last one goes: each layer is a dataset below the pool's own. */
  async isEmpty(place) {
    const list = ['list', '-H', '-o', 'name', '-t', 'filesystem,volume', '-r', poolOf(place)];
    const datasets = await runOrFail(findCommand('zfs') ?? 'zfs', list, 'cannot look into the pool of zfs');
    return datasets.trim() === poolOf(place);
  },
};

async function exportPool(place: StorePlace, pool: string): Promise<void> {
  try {
    if (byFuse()) await exportFuse(pool);
    else await zpool(['export', pool], 'cannot detach the pool of zfs');
  } catch (error) {
    throw storeInUse(place, 'zfs', error, byFuse() ? daemonsOf(pool) : []);
  }
}
