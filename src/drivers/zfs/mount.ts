/** Mounting layers: their datasets have `mountpoint=legacy`, and mount(2) takes them by name. */
import { hasErrno, TsengineError } from '../../errors.ts';
import { MNT_DETACH, MS_BIND, MS_RDONLY, MS_REMOUNT, mount, unmount } from '../../linux/mount.ts';
import { layerInUse } from '../layer-id.ts';

/** Mounts a dataset to be written. `ENOENT` without it. */
export function mountDataset(dataset: string, target: string, label: string | undefined): void {
  const data = label === undefined || label === '' ? '' : `context="${label}"`;
  try {
    mount({ source: dataset, target, type: 'zfs', data });
  } catch (error) {
    if (!hasErrno(error, 'EROFS', 'EBUSY')) throw error;
    const reason = hasErrno(error, 'EROFS')
      ? 'its pool, or it, is read-only: zpool import the pool writable, or look at it with --read-only-root'
      : 'it is mounted read-only elsewhere: unmount it there';
    throw new TsengineError('Unavailable', `zfs: cannot mount ${dataset}: ${reason}`, { cause: error });
  }
}

/**
 * Mounts a dataset so that nothing can be written through this mount. All mounts of a dataset are one file system, which
 * would be read-only for all of them, and whoever wants to write to it while somebody looks would be refused: so it is this
 * mount alone that is.
 */
export function mountToRead(dataset: string, target: string): void {
  try {
    mount({ source: dataset, target, type: 'zfs' });
  } catch (error) {
    if (!hasErrno(error, 'EROFS', 'EBUSY')) throw error;
    // Read-only by itself, or because somebody has it mounted so.
    mount({ source: dataset, target, type: 'zfs', flags: MS_RDONLY });
    return;
  }
  try {
    mount({ target, flags: MS_REMOUNT | MS_BIND | MS_RDONLY });
  } catch (error) {
    unmount(target, MNT_DETACH);
    throw error;
  }
}

/** The error for a dataset that cannot be destroyed because of a mount that is not counted: in another namespace, or detached and open. */
export function busyElsewhere(id: string, dataset: string, cause: unknown): TsengineError {
  return new TsengineError(
    'Conflict',
    `${layerInUse('zfs', id, 1).message}; grep ${dataset} /proc/*/mountinfo tells by whom`,
    { cause },
  );
}
