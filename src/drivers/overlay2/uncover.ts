/**
 * dockerd binds its data root over itself where that is not on a shared mount, and leaves that behind when it is killed or does
 * not come to start. What was mounted below before is hidden from then on: its path leads to the empty directory beneath
 * the other mount.
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';

/**
 * Unmounts what dockerd left over the data root, or over `home` in it, if that hides the mount at `path`, which is below. Gives
 * whether `path` is to be seen now. What has mounts of its own stays, and so does another filesystem, which somebody put
 * there. Only where no dockerd lives.
 */
export function uncover(home: string, path: string): boolean {
  const mounts = readMountInfo().map(({ id, parent, mountPoint }) => ({
    id,
    parent,
    at: mountPoint.toString(),
  }));
  if (!mounts.some(({ at }) => at === path)) return false;
  const covers = mounts.filter(({ at }) => (at === home || at === dirname(home)) && isBound(at)).reverse();
  const gone = new Set<number>();
  for (const { id, at } of covers) {
    if (mounts.some((mount) => mount.parent === id && !gone.has(mount.id))) return false;
    gone.add(id);
    // This very process has files open in it.
    unmount(at, MNT_DETACH);
  }
  return covers.length > 0;
}

/** Whether a mount point has on it what it has beneath. */
function isBound(point: string): boolean {
  return statSync(point).dev === statSync(dirname(point)).dev;
}
