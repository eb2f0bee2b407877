/**
 * What a layer changed, asked of ZFS: `zfs diff` between the snapshot that a clone began as and the clone. It tells every inode
 * whose change time or generation differs, by one of its names, and with the directories those whose names are others.
 * Only what it names is compared; docs/decisions.md says what was tried.
 */
import { realpathSync } from 'node:fs';
import { closeFd, O_DIRECTORY, O_RDONLY, openAt } from '../../linux/at.ts';
import { runCommand } from '../../linux/command.ts';
import { DT_DIR, directoryEntries } from '../../linux/directory-entries.ts';
import { withDirectory, withRoot } from '../../linux/open-directory.ts';
import { AT_FDCWD, type FileStat, lstatIfAny } from '../../linux/stat.ts';
import { syncfs } from '../../linux/sync.ts';
import { ChangedPaths } from '../changed-paths.ts';
import { childPath, isDirectoryStat } from '../directory.ts';
import type { Guided } from '../naive-diff.ts';
import { changedPaths } from './diff-output.ts';

/**
 * The guide for the datasets of a layer and its parent, which are mounted when it is asked. There is none when the one is no clone
 * of the other, or `zfs diff` does not come to its end; then everything is compared.
 */
export function guidedByDiff(layer: string, parent: string): Guided {
  return async (layerPath, basePath, compare) => {
    const paths = await pathsThatChanged(layer, parent, layerPath, basePath);
    return compare(paths === undefined ? undefined : new DiffGuide(layerPath, basePath, paths));
  };
}

async function pathsThatChanged(
  layer: string,
  parent: string,
  layerPath: string,
  basePath: string,
): Promise<Set<string> | undefined> {
  // What was done last is in snapshots and sizes only when it has been written.
  for (const path of [layerPath, basePath]) await syncPath(path);
  const origin = await originOf(layer, parent);
  if (origin === undefined) return undefined;
  const own = await diffOf(origin.snapshot, layer, layerPath);
  // By contract a parent is not written any more. If it was, what changed in it since may differ as well.
  const others = origin.written ? await diffOf(origin.snapshot, parent, basePath) : [];
  return own === undefined || others === undefined ? undefined : new Set([...own, ...others]);
}

async function syncPath(path: string): Promise<void> {
  const fd = openAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  try {
    await syncfs(fd);
  } finally {
    closeFd(fd);
  }
}

/** The snapshot of the parent that the layer began as, and whether the parent has been written since. */
async function originOf(
  layer: string,
  parent: string,
): Promise<{ readonly snapshot: string; readonly written: boolean } | undefined> {
  const args = ['list', '-Hp', '-t', 'filesystem,snapshot', '-r', '-d', '1', '-o', 'name,origin,written'];
  const { code, stdout } = await runCommand('zfs', [...args, '-s', 'createtxg', layer, parent]);
  if (code !== 0) return undefined;
  const rows = stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
  const snapshot = rows.find(([name]) => name === layer)?.[1];
  if (snapshot === undefined || !snapshot.startsWith(`${parent}@`)) return undefined;
  // What a snapshot has written is what came since the one before it.
  const snapshots = rows.filter(([name]) => name?.startsWith(`${parent}@`) === true);
  const since = snapshots.slice(snapshots.findIndex(([name]) => name === snapshot) + 1);
  const current = rows.filter(([name]) => name === parent);
  return { snapshot, written: [...since, ...current].some(([, , written]) => written !== '0') };
}

async function diffOf(snapshot: string, dataset: string, mounted: string): Promise<string[] | undefined> {
  const { code, stdout } = await runCommand('zfs', ['diff', '-H', snapshot, dataset]);
  return code === 0 ? changedPaths(stdout, realpathSync.native(mounted)) : undefined;
}

class DiffGuide extends ChangedPaths {
  readonly #root: string;
  #byInode: Map<bigint, Buffer[]> | undefined;

  constructor(root: string, base: string, paths: ReadonlySet<string>) {
    super();
    this.#root = root;
    const linked = new Set<bigint>();
    withRoot(root, (fd) =>
      withRoot(base, (baseFd) => {
        for (const path of paths) {
          this.addPath(path);
          const name = Buffer.from(path.slice(1), 'latin1');
          if (path === '') continue;
          for (const stat of [lstatIfAny(fd, name), lstatIfAny(baseFd, name)]) {
            if (stat !== undefined && hasMoreNames(stat)) linked.add(stat.ino);
          }
        }
      }),
    );
    // Of a file with several names one is told, perhaps one that is gone.
    for (const inode of linked) for (const path of this.pathsOf(inode)) this.addPath(path.toString('latin1'));
  }

  pathsOf(inode: bigint): readonly Buffer[] {
    this.#byInode ??= withRoot(this.#root, namesByInode);
    return this.#byInode.get(inode) ?? [];
  }
}

function hasMoreNames(stat: FileStat): boolean {
  return !isDirectoryStat(stat) && stat.nlink > 1;
}

/** The paths of all that is no directory below an open one, by inode number. Costs a listing of the tree, and looks at no file. */
function namesByInode(root: number): Map<bigint, Buffer[]> {
  const names = new Map<bigint, Buffer[]>();
  const visit = (fd: number, at: Buffer): void => {
    for (const { inode, type, name } of [...directoryEntries(fd)]) {
      const path = childPath(at, name);
      if (type === DT_DIR) withDirectory(fd, name, (child) => visit(child, path));
      else names.set(inode, [...(names.get(inode) ?? []), path]);
    }
  };
  visit(root, Buffer.alloc(0));
  return names;
}
