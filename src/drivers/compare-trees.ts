import { childPath, isDirectoryStat, lstatIfAny, namesIn, withDirectory, withRoot } from './directory.ts';
import type { Change } from './driver.ts';
import { sameAttributes } from './same-file.ts';

const ROOT = Buffer.alloc(0);

/**
 * How the tree at `root` differs from the one at `base` (from nothing when `undefined`), by Docker's rules: what is
 * only in `root` is added, with all that is in it; what is only in `base` is deleted, without what is in it; a file
 * whose attributes differ is modified, and so is a directory in which anything changed; what is a directory in one and
 * a file in the other is modified. The root itself is never named. Costs the size of both trees.
 */
export function compareTrees(root: string, base: string | undefined): Change[] {
  const changes: Change[] = [];
  withRoot(root, (fd) => {
    if (base === undefined) compare(fd, undefined, ROOT, changes);
    else withRoot(base, (baseFd) => compare(fd, baseFd, ROOT, changes));
  });
  return sortChanges(changes);
}

/** Sorts by the bytes of the paths, in place. */
export function sortChanges(changes: Change[]): Change[] {
  return changes.sort((a, b) => Buffer.compare(a.path, b.path));
}

/** Adds what differs in one directory. Gives whether anything does. */
function compare(fd: number, baseFd: number | undefined, at: Buffer, changes: Change[]): boolean {
  const before = changes.length;
  const left = new Map<string, Buffer>();
  if (baseFd !== undefined) for (const name of namesIn(baseFd)) left.set(name.toString('latin1'), name);
  for (const name of namesIn(fd)) {
    const existed = left.delete(name.toString('latin1'));
    compareOne(fd, existed ? baseFd : undefined, name, childPath(at, name), changes);
  }
  for (const name of left.values()) changes.push({ kind: 'deleted', path: childPath(at, name) });
  return changes.length > before;
}

function compareOne(
  fd: number,
  baseFd: number | undefined,
  name: Buffer,
  path: Buffer,
  changes: Change[],
): void {
  const stat = lstatIfAny(fd, name);
  // Gone since the directory was read: a running container works on.
  if (stat === undefined) return;
  const base = baseFd === undefined ? undefined : lstatIfAny(baseFd, name);
  let changed = false;
  if (isDirectoryStat(stat)) {
    changed = withDirectory(fd, name, (child) => {
      if (baseFd === undefined || base === undefined || !isDirectoryStat(base)) {
        return compare(child, undefined, path, changes);
      }
      return withDirectory(baseFd, name, (baseChild) => compare(child, baseChild, path, changes));
    });
  }
  if (baseFd === undefined || base === undefined) changes.push({ kind: 'added', path });
  else if (changed || !sameAttributes({ fd, name, stat }, { fd: baseFd, name, stat: base })) {
    changes.push({ kind: 'modified', path });
  }
}
