/**
 * A ZFS pool on a file, mounted at the driver's home. It is in nobody's list of pools to import at boot (`cachefile=none`): the
 * next use imports it. A crash leaves the file, and the pool imported until the machine stops.
 *
 * Where the kernel has no module and zfs-fuse is installed, its daemon is started for the pool, and ended with the last one.
 */
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno, TsengineError } from '../../errors.ts';
import { findCommand, runCommand, runOrFail, shellWord } from '../../linux/command.ts';
import { makeDirectories, pathExists } from '../../linux/files.ts';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { findMountAt, type MountInfo, readMountInfo } from '../../linux/mountinfo.ts';
import { sha256Hex } from '../../linux/sha256.ts';
import { isSuspended } from '../../linux/suspended-pool.ts';
import { zfsExists } from '../../linux/zfs-core.ts';
import type { StoreMaker, StorePlace } from '../driver.ts';
import { isDeadMount } from '../mount-counter.ts';
import {
  isFull,
  isShort,
  LostImageError,
  makeImage,
  mustBeBare,
  mustHaveImage,
  roomLeft,
  takeSpace,
} from '../store-image.ts';
import { storeInUse } from '../store-in-use.ts';
import {
  endIdleDaemon,
  ensureDaemon,
  hasZfsFuse,
  isRunning,
  mustTakeAttributes,
  withDaemonLock,
} from './fuse-daemon.ts';
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

/** What zfs-fuse has of a pool. Of one that is suspended, because its file could not be written, it tells nothing but that. */
async function stateOf(pool: string): Promise<'none' | 'suspended' | 'imported'> {
  const { code, stderr } = await runCommand('zfs', ['list', '-H', '-o', 'name', pool]);
  if (code === 0) return 'imported';
  if (/is currently suspended/.test(stderr)) return 'suspended';
  return /does not exist/.test(stderr) ? 'none' : 'imported';
}

async function isImported(pool: string): Promise<boolean> {
  if (!byFuse()) return zfsExists(pool);
  return (await stateOf(pool)) !== 'none';
}

/** What is mounted at the driver's home. */
function mountOf(place: StorePlace): MountInfo | undefined {
  try {
    return pathExists(place.home) ? findMountAt(realpathSync.native(place.home)) : undefined;
  } catch (error) {
    if (!hasErrno(error, 'ENOTCONN')) throw error;
    // A daemon that died, of whose mount the kernel remembers nothing any more: no path is found there.
    return readMountInfo().findLast(({ source }) => source.toString() === poolOf(place));
  }
}

/** The store, where it is mounted at the driver's home. What else is mounted there is the user's. */
function mountedAt(place: StorePlace): MountInfo | undefined {
  const found = mountOf(place);
  if (found === undefined || found.source.toString() !== poolOf(place)) return undefined;
  return found.type === 'zfs' || isFuse(found.type) ? found : undefined;
}

/** What a daemon that died had mounted is nobody's. */
function unmountDead(place: StorePlace): void {
  if (mountedAt(place) !== undefined && isDeadMount(place.home)) unmount(place.home, MNT_DETACH);
}

async function readyFuse(place: StorePlace): Promise<void> {
  unmountDead(place);
  await ensureDaemon();
}

function noPool(place: StorePlace, cause: unknown): LostImageError {
  const why = `${place.image}, which driver setup made for zfs, has no pool that can be attached: it is damaged, or a copy of one that is attached`;
  return new LostImageError(place, 'zfs', why, 'put it back from a backup, or detach that one', cause);
}

/** A pool could not be written, and what serves it waits until somebody says that it can. */
class SuspendedError extends TsengineError {
  /** `daemons` are those of zfs-fuse that serve it; `undefined` where the kernel's module does. */
  constructor(place: StorePlace, pool: string, daemons: readonly number[] | undefined) {
    const [daemon] = daemons ?? [];
    const makeWritable =
      daemons !== undefined || isShort(place)
        ? roomLeft(place, 'zfs')
        : `${place.image}, which driver setup made for zfs, could not be written: see that its disk answers and has room`;
    const giveUp =
      daemons === undefined
        ? 'restart the machine'
        : `give up all that zfs-fuse serves with kill -9 ${daemon ?? 'PID'}`;
    super(
      'Unavailable',
      `the pool of zfs at ${place.home} has stopped: ${makeWritable}, and run zpool clear ${pool}; or ${giveUp}, then ${place.teardown}`,
    );
  }
}

/** The same, of the kernel's module, which does not even say then that it has the pool. */
function mustRun(place: StorePlace, pool: string): void {
  if (isSuspended(pool)) throw new SuspendedError(place, pool, undefined);
}

/** How long what needs room on a disk that has next to none may take. Milliseconds. */
const PATIENCE = 20_000;

/** Does something with a pool, which waits for ever when that is suspended, or is so meanwhile: fails with `SuspendedError` then. */
async function unlessSuspended(
  work: (pool: string) => Promise<void>,
  place: StorePlace,
  pool: string,
): Promise<void> {
  const daemons = byFuse() ? daemonsOf(pool) : undefined;
  const state = daemons === undefined ? undefined : await stateOf(pool);
  if (state === 'suspended' || isSuspended(pool)) throw new SuspendedError(place, pool, daemons);
  const done = work(pool).then(() => 'done' as const);
  for (;;) {
    const late = sleep(PATIENCE, 'late' as const, { ref: false });
    if ((await Promise.race([done, late])) === 'done') return;
    // A daemon, at work on that, would not answer to another question.
    const hasStopped = daemons === undefined ? isSuspended(pool) : isShort(place);
    if (hasStopped) throw new SuspendedError(place, pool, daemons);
  }
}

/** -f: the machine that had it last may have lost its power, and no other one has the file. */
async function importPool(place: StorePlace, pool: string): Promise<void> {
  const folder = dirname(place.image);
  const found = ['import', '-d', folder];
  try {
    await zpool([...found, '-f', '-o', 'cachefile=none', pool], 'cannot attach the pool of zfs');
  } catch (error) {
    const { stdout } = await runCommand('zpool', found);
    const name = /^ *pool: (\S+)$/m.exec(stdout.toString())?.[1];
    if (name === undefined) throw noPool(place, error);
    if (name === pool) throw error;
    const [home, dir] = [shellWord(place.home), shellWord(folder)];
    throw new TsengineError(
      'Unavailable',
      `${place.image}, which driver setup made for zfs, has the pool of a data root in another place (${name}): move the data root back there, or give the pool to this one with zpool import -f -d ${dir} -o cachefile=none ${name} ${pool}; zfs set mountpoint=${home} ${pool}`,
      { cause: error },
    );
  }
}

async function makePool(place: StorePlace): Promise<void> {
  if (byFuse()) await ensureDaemon();
  makeImage(place);
  // zfs-fuse tries again and again to write what its disk has no room for, and nothing that it serves goes on.
  if (byFuse()) takeSpace(place);
  makeDirectories(place.home, 0o711);
  const options = ['-o', 'cachefile=none', '-m', place.home];
  await zpool(['create', ...options, poolOf(place), place.image], 'cannot set up zfs');
  if (!byFuse()) return;
  await mustBeHere(place, poolOf(place));
  mustTakeAttributes(place.home);
}

async function attachPool(place: StorePlace): Promise<void> {
  const pool = poolOf(place);
  if (byFuse()) {
    await freeElsewhere(place, pool);
    // Whoever imports a pool writes to it, and would wait for ever.
    if (isFull(place)) throw new TsengineError('Unavailable', roomLeft(place, 'zfs'));
    await readyFuse(place);
  } else mustRun(place, pool);
  mustBeBare(place, 'zfs');
  makeDirectories(place.home, 0o711);
  if (await isImported(pool))
    await runOrFail(findCommand('zfs') ?? 'zfs', ['mount', pool], 'cannot mount the pool of zfs');
  else await importPool(place, pool);
  if (byFuse()) await mustBeHere(place, pool);
}

async function detachPool(place: StorePlace): Promise<void> {
  const pool = poolOf(place);
  if (byFuse()) {
    unmountDead(place);
    if (!(await isRunning())) return;
  } else {
    const reason = missing();
    // Nothing was ever attached without them; or they were taken away, and cannot tell what is.
    if (reason !== undefined && mountedAt(place) !== undefined) throw notDetached(place, reason);
    if (reason !== undefined) return;
    mustRun(place, pool);
  }
  if (await isImported(pool)) await exportPool(place, pool);
  if (!byFuse()) return;
  await endIdleDaemon();
  unmountDead(place);
}

/** Fails where it is mounted: its file must not go. */
async function detachWhole(place: StorePlace): Promise<void> {
  await detachPool(place);
  if (mountedAt(place) === undefined) return;
  throw notDetached(place, `it is mounted there still: umount ${shellWord(place.home)}`);
}

function notDetached({ home, teardown }: StorePlace, reason: string): TsengineError {
  return new TsengineError(
    'Unavailable',
    `the pool of zfs at ${home} cannot be detached: ${reason}; then ${teardown}`,
  );
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
    await (byFuse() ? withDaemonLock(() => makePool(place)) : makePool(place));
  },

  async isAttached(place) {
    const found = mountedAt(place);
    return found !== undefined && (found.type === 'zfs' || !isDeadMount(place.home));
  },

  async attach(place) {
    if (await this.isAttached(place)) return;
    mustHaveImage(place, 'zfs');
    await this.check();
    await (byFuse() ? withDaemonLock(() => attachPool(place)) : attachPool(place));
  },

  async detach(place) {
    await (byFuse() ? withDaemonLock(() => detachWhole(place)) : detachWhole(place));
  },

  /** The folders that layers are mounted in stay when the last one goes: each layer is a dataset below the pool's own. */
  async isEmpty(place) {
    mustRun(place, poolOf(place));
    const list = ['list', '-H', '-o', 'name', '-t', 'filesystem,volume', '-r', poolOf(place)];
    const datasets = await runOrFail(findCommand('zfs') ?? 'zfs', list, 'cannot look into the pool of zfs');
    return datasets.trim() === poolOf(place);
  },
};

async function exportModule(pool: string): Promise<void> {
  await zpool(['export', pool], 'cannot detach the pool of zfs');
}

async function exportPool(place: StorePlace, pool: string): Promise<void> {
  try {
    const detach = byFuse() ? exportFuse : exportModule;
    await unlessSuspended(detach, place, pool);
  } catch (error) {
    if (error instanceof SuspendedError) throw error;
    throw storeInUse(place, error, byFuse() ? daemonsOf(pool) : []);
  }
}
