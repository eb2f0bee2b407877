/**
 * A ZFS pool on a file, mounted at the driver's home. It is in nobody's list of pools to import at boot (`cachefile=none`): the
 * next use imports it. A crash leaves the file, and the pool imported until the machine stops.
 */
import { TsengineError } from '../../errors.ts';
import { findCommand, runOrFail } from '../../linux/command.ts';
import { makeDirectories } from '../../linux/files.ts';
import { findMountAt } from '../../linux/mountinfo.ts';
import { sha256Hex } from '../../linux/sha256.ts';
import { zfsExists } from '../../linux/zfs-core.ts';
import type { StoreMaker, StorePlace } from '../driver.ts';
import { makeImage, mustHaveImage } from '../store-image.ts';
import { missing } from './locate.ts';

/** Two data roots never have one pool. */
function poolOf({ home }: StorePlace): string {
  return `tsengine-${sha256Hex(home).slice(0, 12)}`;
}

async function zpool(args: readonly string[], purpose: string): Promise<void> {
  await runOrFail(findCommand('zpool') ?? 'zpool', args, purpose);
}

/** See `StoreMaker`. */
export const zfsStore: StoreMaker = {
  async check() {
    const reason = missing();
    if (reason !== undefined) throw new TsengineError('Unavailable', reason);
  },

  async make(place) {
    makeImage(place);
    makeDirectories(place.home, 0o711);
    const options = ['-o', 'cachefile=none', '-m', place.home];
    await zpool(['create', ...options, poolOf(place), place.image], 'cannot set up zfs');
  },

  async isAttached({ home }) {
    return findMountAt(home)?.type === 'zfs';
  },

  async attach(place) {
    if (await this.isAttached(place)) return;
    mustHaveImage(place, 'zfs');
    await this.check();
    makeDirectories(place.home, 0o711);
    const folder = place.image.slice(0, place.image.lastIndexOf('/'));
    const pool = poolOf(place);
    if (zfsExists(pool))
      await runOrFail(findCommand('zfs') ?? 'zfs', ['mount', pool], 'cannot mount the pool of zfs');
    // -f: the machine that had it last may have lost its power, and no other one has the file.
    else
      await zpool(
        ['import', '-f', '-d', folder, '-o', 'cachefile=none', pool],
        'cannot attach the pool of zfs',
      );
  },

  async detach(place) {
    const pool = poolOf(place);
    if (missing() !== undefined || !zfsExists(pool)) return;
    try {
      await zpool(['export', pool], 'cannot detach the pool of zfs');
    } catch (error) {
      throw new TsengineError(
        'Conflict',
        `${place.home} is in use: stop what works in it, containers first`,
        {
          cause: error,
        },
      );
    }
  },
};
