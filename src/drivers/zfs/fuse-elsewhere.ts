/**
 * Pools of zfs-fuse in another mount namespace. The daemon mounts what it serves in the one that it was started in, as that of a
 * unit of systemd with `PrivateTmp`, and its commands look in their own: elsewhere they find nothing mounted, and the pool busy.
 */
import { TsengineError } from '../../errors.ts';
import { findCommand, runOrFail } from '../../linux/command.ts';
import { holdersOf, holdersText, mountNamespaceOf } from '../../linux/mount-holders.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { processIds } from '../../linux/processes.ts';
import type { StorePlace } from '../driver.ts';
import { endIdleDaemon, isDaemon } from './fuse-daemon.ts';
import { isFuse } from './fuse-datasets.ts';

/** Whether a process has a pool mounted. It may end meanwhile. */
function hasMounted(pid: number, pool: string): boolean {
  try {
    return readMountInfo(`/proc/${pid}/mountinfo`).some(
      ({ type, source }) => isFuse(type) && source.toString() === pool,
    );
  } catch {
    return false;
  }
}

/** The daemons that have a pool mounted: one, or none. */
export function daemonsOf(pool: string): readonly number[] {
  return processIds().filter((pid) => isDaemon(pid) && hasMounted(pid, pool));
}

function daemonElsewhere(pool: string): number | undefined {
  const here = mountNamespaceOf('self');
  return daemonsOf(pool).find((pid) => mountNamespaceOf(pid) !== here);
}

/** Detaches a pool, where it is mounted. */
export async function exportFuse(pool: string): Promise<void> {
  const zpool = [findCommand('zpool') ?? 'zpool', 'export', pool];
  const daemon = daemonElsewhere(pool);
  const [program = '', ...args] =
    daemon === undefined ? zpool : ['nsenter', '--target', `${daemon}`, '--mount', '--', ...zpool];
  await runOrFail(findCommand(program) ?? program, args, 'cannot detach the pool of zfs');
}

/**
 * Frees a pool that is mounted in a namespace that nobody but its daemon is in any more. Fails with `Conflict`, and says whose
 * namespace it is, while somebody is.
 */
export async function freeElsewhere({ home, program }: StorePlace, pool: string): Promise<void> {
  const daemon = daemonElsewhere(pool);
  if (daemon === undefined) return;
  const [holder, ...more] = holdersOf(home, [daemon]);
  if (holder !== undefined) {
    throw new TsengineError(
      'Conflict',
      `the store of zfs at ${home} is attached in another mount namespace, that of ${holdersText([holder, ...more])}: stop what works there, or work there as well (nsenter --target ${holder.pid} --mount ${program} -s zfs …)`,
    );
  }
  await exportFuse(pool);
  await endIdleDaemon();
}

/** Fails with `Unavailable` where a pool that was just mounted is in another namespace, because its daemon is; frees it there. */
export async function mustBeHere({ home }: StorePlace, pool: string): Promise<void> {
  const daemon = daemonElsewhere(pool);
  if (daemon === undefined) return;
  await exportFuse(pool);
  throw new TsengineError(
    'Unavailable',
    `zfs: zfs-fuse (process ${daemon}) was started in another mount namespace, and would mount ${home} there: detach its other pools (nsenter --target ${daemon} --mount zpool export …) and end it`,
  );
}
