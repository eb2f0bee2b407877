/** Deleting subvolumes, with those that containers made inside. */

import { dirname } from 'node:path';
import { hasErrno } from '../../errors.ts';
import { destroySubvolume, isSubvolume, subvolumeInfo } from '../../linux/btrfs.ts';
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
  for (const one of all) {
    destroy(folder, one, all);
    forgetSubvolume(folder, one);
  }
}

/** One that is full to its limit has no room to have another one removed from it: then it, with all that go, loses that limit. */
function destroy(folder: string, id: bigint, all: readonly bigint[]): void {
  try {
    destroySubvolume(folder, id);
  } catch (error) {
    if (!hasErrno(error, 'EDQUOT')) throw error;
    for (const one of all) unlimitSubvolume(folder, one);
    destroySubvolume(folder, id);
  }
}

function innermostFirst(on: string, id: bigint): bigint[] {
  return withRoot(on, (fd) => {
    const collect = (one: bigint): bigint[] => [...subvolumesIn(fd, one).flatMap(collect), one];
    return collect(id);
  });
}
