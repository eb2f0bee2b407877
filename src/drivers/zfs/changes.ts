/**
 * What a layer may have changed, told by change times. A clone keeps its parent's inode numbers and the times at which each inode
 * changed last, which nothing but a change moves: what has both as in the parent is as in the parent, its attributes and,
 * for a directory, its names too. So of most files one lstat(2) on either side is asked, and nothing else.
 *
 * `zfs diff`, whose cost would follow the change, is not used: it leaves files out, and ends well. It looks for an inode's name in
 * the directory in which it was linked last, on either side, and says nothing of one that has no name there any more
 * (`ln a d/x; rm d/x`, then a change of `a`; OpenZFS 2.1.11).
 */
import { runCommand } from '../../linux/command.ts';
import { withDirectory, withRoot } from '../../linux/open-directory.ts';
import { type FileStat, lstatIfAny } from '../../linux/stat.ts';
import { ChangedPaths } from '../changed-paths.ts';
import { childPath, isDirectoryStat, namesIn } from '../directory.ts';
import type { Guided } from '../naive-diff.ts';

/** The guide for the datasets of a layer and its parent, which are mounted when it is asked; none when the one is no clone of the other. */
export function guidedByTimes(layer: string, parent: string): Guided {
  return async (layerPath, basePath, compare) =>
    compare((await isCloneOf(layer, parent)) ? new TimesGuide(layerPath, basePath) : undefined);
}

async function isCloneOf(layer: string, parent: string): Promise<boolean> {
  const { code, stdout } = await runCommand('zfs', ['list', '-H', '-o', 'origin', layer]);
  return code === 0 && stdout.toString().startsWith(`${parent}@`);
}

class TimesGuide extends ChangedPaths {
  /** Of files with several names. */
  readonly #byInode = new Map<bigint, Buffer[]>();

  constructor(root: string, base: string) {
    super();
    withRoot(root, (fd) => withRoot(base, (baseFd) => this.#visit(fd, baseFd, Buffer.alloc(0))));
  }

  pathsOf(inode: bigint): readonly Buffer[] {
    return this.#byInode.get(inode) ?? [];
  }

  /** Looks at the names that a directory has in the layer; `baseFd` is undefined where the parent has no such directory. */
  #visit(fd: number, baseFd: number | undefined, at: Buffer): void {
    for (const name of namesIn(fd)) {
      const stat = lstatIfAny(fd, name);
      if (stat === undefined) continue;
      const path = childPath(at, name);
      const base = baseFd === undefined ? undefined : lstatIfAny(baseFd, name);
      if (base === undefined || !isUnchanged(stat, base)) this.addPath(path.toString('latin1'));
      if (isDirectoryStat(stat)) this.#below(fd, name, base === undefined ? undefined : baseFd, base, path);
      else if (stat.nlink > 1) this.#byInode.set(stat.ino, [...this.pathsOf(stat.ino), path]);
    }
    if (at.length === 0) this.listed.add('');
  }

  #below(
    fd: number,
    name: Buffer,
    baseFd: number | undefined,
    base: FileStat | undefined,
    path: Buffer,
  ): void {
    withDirectory(fd, name, (child) => {
      if (baseFd === undefined || base === undefined || !isDirectoryStat(base))
        this.#visit(child, undefined, path);
      else withDirectory(baseFd, name, (baseChild) => this.#visit(child, baseChild, path));
    });
  }
}

function isUnchanged(stat: FileStat, base: FileStat): boolean {
  const [now, then] = [stat.ctime, base.ctime];
  return stat.ino === base.ino && now.sec === then.sec && now.nsec === then.nsec;
}
