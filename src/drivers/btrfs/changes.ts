/**
 * What a layer changed, asked of btrfs: a snapshot keeps its parent's inode numbers, and the trees of both say which inodes
 * changed after the snapshot was made. Only those and the directories above them are compared. The cost follows the change.
 */
import { closeFd, O_DIRECTORY, O_RDONLY, openAt } from '../../linux/at.ts';
import { subvolumeInfo } from '../../linux/btrfs.ts';
import { SubvolumeTree, subvolumesIn, type TreeInode } from '../../linux/btrfs-search.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import { syncfs } from '../../linux/sync.ts';
import type { Guided } from '../naive-diff.ts';
import { PathGuide } from '../path-guide.ts';

/**
 * Gives `compare` what may differ between a layer and its parent, both absolute; nothing when the layer is no snapshot of that
 * one, or other subvolumes lie in either: their inodes have numbers of their own.
 */
export const guidedByTrees: Guided = async (layer, parent, compare) => {
  const fds: number[] = [];
  const open = (path: string): number => {
    const fd = openAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    fds.push(fd);
    return fd;
  };
  try {
    const [own, base] = [open(layer), open(parent)];
    const [info, baseInfo] = [subvolumeInfo(own), subvolumeInfo(base)];
    if (info.parentUuid !== baseInfo.uuid) return compare(undefined);
    const nested = [subvolumesIn(own, info.id), subvolumesIn(base, baseInfo.id)];
    if (nested.some((ids) => ids.length > 0)) return compare(undefined);
    // What was done last is in the trees only when it has been written.
    await syncfs(own);
    const [tree, baseTree] = [new SubvolumeTree(own, info.id), new SubvolumeTree(base, baseInfo.id)];
    const guide = new TreeGuide(tree);
    // Both before the first is compared: what each found answers for many of the other.
    const [changed, baseChanged] = [tree.changedAfter(info.madeIn), baseTree.changedAfter(info.madeIn)];
    guide.add(tree, changed, baseTree);
    guide.add(baseTree, baseChanged, tree);
    return compare(guide);
  } finally {
    fds.forEach(closeFd);
  }
};

class TreeGuide extends PathGuide {
  readonly #tree: SubvolumeTree;

  constructor(tree: SubvolumeTree) {
    super();
    this.#tree = tree;
  }

  pathsOf(inode: bigint): readonly Buffer[] {
    return this.#tree.pathsOf(inode);
  }

  /**
   * Adds what changed in one tree since it was the same as the other; what was only read did not. Files are listed like directories, and
   * never looked up as one.
   */
  add(tree: SubvolumeTree, changed: readonly TreeInode[], other: SubvolumeTree): void {
    for (const inode of changed) {
      if (other.wasRead(inode)) continue;
      const written = other.wasWritten(inode);
      for (const path of tree.pathsOfChanged(inode)) {
        const key = path.toString('latin1');
        this.addPath(key, true);
        if (written) this.written.add(key);
      }
    }
  }
}
