/**
 * Pools of ZFS whose disks do not answer: whoever writes to one, or reads what is not in memory, waits until somebody brings
 * them back, and cannot even be killed. So that is looked for before anything is touched. Source: zpoolprops(7), `failmode=wait`.
 */
import { hasErrno } from '../errors.ts';
import { pathExists, readTextIfAny } from './files.ts';
import { readMountInfo } from './mountinfo.ts';

const POOLS = '/proc/spl/kstat/zfs';

/** Whether a pool is suspended. Not, when it is not imported. */
export function isSuspended(pool: string, pools: string = POOLS): boolean {
  try {
    // `ONLINE`, `DEGRADED`, `SUSPENDED`…
    return readTextIfAny(`${pools}/${pool}/state`)?.trim() === 'SUSPENDED';
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR', 'EACCES')) return false;
    throw error;
  }
}

/** The suspended pool that an absolute path is on, as far as its text tells. One look where the kernel has no ZFS; the path itself is not touched. */
export function suspendedPoolOf(path: string, pools: string = POOLS): string | undefined {
  if (!pathExists(pools)) return undefined;
  const above = readMountInfo().filter(({ mountPoint }) => isWithin(path, mountPoint.toString()));
  // The last of those that hide each other, and the innermost.
  const mount = above.reduce<(typeof above)[number] | undefined>(
    (best, one) => (best === undefined || one.mountPoint.length >= best.mountPoint.length ? one : best),
    undefined,
  );
  if (mount?.type !== 'zfs') return undefined;
  const [pool = ''] = mount.source.toString().split('/');
  return isSuspended(pool, pools) ? pool : undefined;
}

function isWithin(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`);
}

/** What is said of it. */
export function suspendedText(pool: string): string {
  return `the pool ${pool} is suspended, because its disks do not answer: bring them back, then zpool clear ${pool}`;
}
