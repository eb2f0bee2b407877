/** Deleting subvolumes, with those that containers made inside. */

import { dirname } from 'node:path';
import { hasErrno } from '../../errors.ts';
import { allowWriting, destroySubvolume, isSubvolume, subvolumeInfo } from '../../linux/btrfs.ts';
import { withSubvolume } from '../../linux/btrfs-handle.ts';
import { forgetSubvolume, unlimitSubvolume } from '../../linux/btrfs-quota.ts';
import { subvolumesIn } from '../../linux/btrfs-search.ts';
import { withRoot } from '../../linux/open-directory.ts';
import { removeTree } from '../../linux/remove-tree.ts';

/**
 * Deletes the subvolume at `path`, the innermost of those inside it first. What is no subvolume is deleted as a folder: another
 * driver's or a copy's. Space comes back a little later. Killed in between, it leaves a smaller subvolume.
 */
export function deleteSubvolume(path: string): void {
  if (!isSubvolume(path)) {
    removeTree(path);
    return;
  }
  const folder = dirname(path);
  const id = withRoot(path, (fd) => subvolumeInfo(fd).id);
  const all = innermostFirst(folder, id);
  for (const [index, one] of all.entries()) {
    destroy(folder, one, all.slice(index));
    forgetSubvolume(folder, one);
  }
}

/** Lets the subvolume at `path` be moved, whatever its container made of it: full to its limit, read-only, or both. */
export function openUp(path: string): void {
  withRoot(path, (fd) => {
    unlimitSubvolume(dirname(path), subvolumeInfo(fd).id);
    allowWriting(fd);
  });
}

/**
 * One that is full to its limit has no room to have another one removed from it, and of one that is read-only none may be: then
 * all that are left to go lose both.
 */
function destroy(folder: string, id: bigint, left: readonly bigint[]): void {
  try {
    destroySubvolume(folder, id);
  } catch (error) {
    if (!hasErrno(error, 'EDQUOT', 'EROFS')) throw error;
    // The limits first: a flag takes room as well.
    for (const one of left) unlimitSubvolume(folder, one);
    if (hasErrno(error, 'EROFS'))
      withRoot(folder, (on) => {
        for (const one of left) withSubvolume(on, one, allowWriting);
      });
    destroySubvolume(folder, id);
  }
}

function innermostFirst(on: string, id: bigint): bigint[] {
  return withRoot(on, (fd) => {
    const collect = (one: bigint): bigint[] => [...subvolumesIn(fd, one).flatMap(collect), one];
    return collect(id);
  });
}
