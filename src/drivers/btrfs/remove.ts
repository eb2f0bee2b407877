/** Deleting subvolumes, with those that containers made inside. */

import { dirname } from 'node:path';
import { destroySubvolume, isSubvolume, subvolumeInfo } from '../../linux/btrfs.ts';
import { forgetSubvolume } from '../../linux/btrfs-quota.ts';
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
  for (const one of innermostFirst(folder, id)) {
    destroySubvolume(folder, one);
    forgetSubvolume(folder, one);
  }
}

function innermostFirst(on: string, id: bigint): bigint[] {
  return withRoot(on, (fd) => {
    const collect = (one: bigint): bigint[] => [...subvolumesIn(fd, one).flatMap(collect), one];
    return collect(id);
  });
}
