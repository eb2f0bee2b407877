import { hasErrno } from '../errors.ts';
import { latin1NamesIn, namesIn } from '../linux/directory-names.ts';
import { withDirectory, withRoot } from '../linux/open-directory.ts';
import { type FileStat, lstatIfAny } from '../linux/stat.ts';
import { childPath, isDirectoryStat } from './directory.ts';
import type { Change } from './driver.ts';
import { type Side, sameAttributes, sameContent, sameTime } from './same-file.ts';

const ROOT = Buffer.alloc(0);

/**
 * What may differ between two trees of which one began as a snapshot of the other, so that the rest need not be looked at. Paths
 * are those of `Change`, read as latin1; the root's is empty.
 */
export interface Guide {
  /** Directories whose names may be others. */
  readonly listed: ReadonlySet<string>;
  /** In each directory that must be looked at, the names that must be. */
  readonly names: ReadonlyMap<string, ReadonlySet<string>>;
  /**
   * What itself may differ, with what it is in the tree that is compared, as far as that is known. All other directories that must be
   * looked at are only on the way: the same ones in both trees, with the same attributes.
   */
  readonly changed: ReadonlyMap<string, FileStat | undefined>;
  /**
   * Of those, files with one name in both trees that were modified, if they are in both trees under it: they need not be looked at. A
   * directory that is not listed has the same ones in both.
   */
  readonly written: ReadonlySet<string>;
  /** All paths of a file of the tree that is compared, by its inode number. */
  pathsOf(inode: bigint): readonly Buffer[];
}

/**
 * How the tree at `root` differs from the one at `base` (from nothing when `undefined`), by Docker's rules: what is
 * only in `root` is added, with all that is in it; what is only in `base` is deleted, without what is in it; a file
 * whose attributes differ is modified, and so is a directory in which anything changed; what is a directory in one and
 * a file in the other is modified. The root itself is never named. Costs the size of both trees, or with a guide what that
 * names.
 *
 * A file of the same size and times whose time of last change differs was written and had its time put back (`touch -r`, `cp -p`):
 * where the trees share inode numbers such files are read, and so is what a guide names, because two changes may get one time.
 * Where times are whole seconds, files that look the same are read if they were changed in the second `doubtfulFrom` (since 1970) or
 * later: the tree may have been changed in that second both before and after the snapshot.
 */
export function compareTrees(
  root: string,
  base: string | undefined,
  guide?: Guide,
  doubtfulFrom?: bigint,
): Change[] {
  return compareRoots(root, base, guide, doubtfulFrom).changes;
}

/**
 * The same, and with it the unchanged names of files that have a changed one as well: what a layer needs in order to
 * bring all names as one file. `ln old new` makes `/new` added and `/old` such a name.
 */
export function compareTreesWithLinks(
  root: string,
  base: string | undefined,
  guide?: Guide,
  doubtfulFrom?: bigint,
): Change[] {
  const { changes, names } = compareRoots(root, base, guide, doubtfulFrom);
  const changed = new Set(names.filter((name) => name.changed).map((name) => name.ino));
  const linked =
    guide === undefined
      ? names.filter((name) => !name.changed && changed.has(name.ino)).map((name) => name.path)
      : // A guide does not lead to the other names of a file that was moved with the directory it is in.
        [...changed].flatMap((inode) => guide.pathsOf(inode));
  if (linked.length === 0) return changes;
  // Without the directories above it, a name would come in below directories with attributes of their own.
  const known = new Set(changes.map(({ path }) => path.toString('latin1')));
  for (const path of linked) {
    for (const needed of withParents(path.toString('latin1'))) {
      if (known.has(needed)) continue;
      known.add(needed);
      changes.push({ kind: 'modified', path: Buffer.from(needed, 'latin1') });
    }
  }
  return sortChanges(changes);
}

/** `/a/b/c`, `/a/b` and `/a`. */
function withParents(path: string): string[] {
  const paths: string[] = [];
  for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) paths.push(at);
  return paths;
}

/** One name of a file that has several. */
interface LinkedName {
  readonly ino: bigint;
  readonly path: Buffer;
  readonly changed: boolean;
}

interface Comparison {
  readonly changes: Change[];
  readonly names: LinkedName[];
  readonly guide: Guide | undefined;
  readonly doubtfulFrom: bigint | undefined;
}

function compareRoots(
  root: string,
  base: string | undefined,
  guide: Guide | undefined,
  doubtfulFrom: bigint | undefined,
): Comparison {
  const comparison: Comparison = { changes: [], names: [], guide, doubtfulFrom };
  withRoot(root, (fd) => {
    if (base === undefined) compare(fd, undefined, ROOT, comparison);
    else withRoot(base, (baseFd) => compare(fd, baseFd, ROOT, comparison));
  });
  sortChanges(comparison.changes);
  return comparison;
}

/** Sorts by the bytes of the paths, in place. */
export function sortChanges(changes: Change[]): Change[] {
  return changes.sort((a, b) => Buffer.compare(a.path, b.path));
}

/** Adds what differs in one directory. Gives whether anything does. */
function compare(fd: number, baseFd: number | undefined, at: Buffer, into: Comparison): boolean {
  const { changes, guide } = into;
  const before = changes.length;
  if (guide !== undefined && baseFd !== undefined) {
    guided(fd, baseFd, at, { ...into, guide });
    return changes.length > before;
  }
  const left = new Map<string, Buffer>();
  if (baseFd !== undefined) for (const name of namesIn(baseFd)) left.set(name.toString('latin1'), name);
  for (const name of namesIn(fd)) {
    const existed = left.delete(name.toString('latin1'));
    const own = sideOf(fd, name);
    const base = existed && baseFd !== undefined ? sideOf(baseFd, name) : undefined;
    // Gone since the directory was read: a running container works on.
    if (own !== undefined) compareOne(own, base, childPath(at, name), into);
  }
  for (const name of left.values()) changes.push({ kind: 'deleted', path: childPath(at, name) });
  return changes.length > before;
}

/** The same, by a guide: of names that both have only those that it tells of. */
function guided(fd: number, baseFd: number, at: Buffer, into: Comparison & { readonly guide: Guide }): void {
  const key = at.toString('latin1');
  const { changed } = into.guide;
  const visit = (text: string, own: boolean, other: boolean): void => {
    const name = Buffer.from(text, 'latin1');
    const path = childPath(at, name);
    const pathKey = `${key}/${text}`;
    if (own && other && !changed.has(pathKey) && onTheWay(fd, baseFd, name, path, into)) return;
    const side = own ? sideOf(fd, name, changed.get(pathKey)) : undefined;
    const base = other ? sideOf(baseFd, name) : undefined;
    if (side !== undefined) compareOne(side, base, path, into);
    else if (base !== undefined) into.changes.push({ kind: 'deleted', path });
  };
  const named = into.guide.names.get(key) ?? NO_NAMES;
  if (!into.guide.listed.has(key)) {
    for (const name of named) if (!onlyWritten(`${key}/${name}`, into)) visit(name, true, true);
    return;
  }
  const others = new Set(latin1NamesIn(baseFd));
  for (const name of latin1NamesIn(fd)) {
    if (!others.delete(name)) visit(name, true, false);
    else if (named.has(name)) visit(name, true, true);
  }
  for (const name of others) visit(name, false, true);
}

const NO_NAMES: ReadonlySet<string> = new Set();

/**
 * Adds a file that was written, or a directory on the way to nothing but such files, without looking at it. Gives false, and adds
 * nothing, for all else. The directory that it is in has the same names in both trees.
 */
function onlyWritten(key: string, into: Comparison & { readonly guide: Guide }): boolean {
  const { changed, listed, names, written } = into.guide;
  const found: string[] = [];
  const isOnly = (at: string): boolean => {
    found.push(at);
    if (written.has(at)) return true;
    const below = names.get(at);
    if (below === undefined || changed.has(at) || listed.has(at)) return false;
    for (const name of below) if (!isOnly(`${at}/${name}`)) return false;
    return true;
  };
  if (!isOnly(key)) return false;
  for (const at of found) into.changes.push({ kind: 'modified', path: Buffer.from(at, 'latin1') });
  return true;
}

/**
 * A directory that is the same in both trees but for what is in it, which is looked at. Gives false, and does nothing, where it is
 * none any more: a running container works on.
 */
function onTheWay(fd: number, baseFd: number, name: Buffer, path: Buffer, into: Comparison): boolean {
  let isThere = false;
  try {
    withDirectory(fd, name, (child) =>
      withDirectory(baseFd, name, (baseChild) => {
        isThere = true;
        if (compare(child, baseChild, path, into)) into.changes.push({ kind: 'modified', path });
      }),
    );
  } catch (error) {
    if (isThere || !hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
  }
  return isThere;
}

/** A name in an open directory; nothing when it is not there. `known` is what it was a moment ago. */
function sideOf(fd: number, name: Buffer, known?: FileStat): Side | undefined {
  const stat = known ?? lstatIfAny(fd, name);
  return stat === undefined ? undefined : { fd, name, stat };
}

function compareOne(own: Side, base: Side | undefined, path: Buffer, into: Comparison): void {
  const isDirectory = isDirectoryStat(own.stat);
  let changed = false;
  if (isDirectory) {
    changed = withDirectory(own.fd, own.name, (child) => {
      if (base === undefined || !isDirectoryStat(base.stat)) return compare(child, undefined, path, into);
      // Another directory in the place of one: the guide knows the changes of either, not how the two differ.
      const below = own.stat.ino === base.stat.ino ? into : { ...into, guide: undefined };
      return withDirectory(base.fd, base.name, (baseChild) => compare(child, baseChild, path, below));
    });
  }
  if (base === undefined) {
    changed = true;
    into.changes.push({ kind: 'added', path });
  } else if (changed || !sameFile(own, base, path, into)) {
    changed = true;
    into.changes.push({ kind: 'modified', path });
  }
  if (!isDirectory && own.stat.nlink > 1) into.names.push({ ino: own.stat.ino, path, changed });
}

function sameFile(side: Side, base: Side, path: Buffer, { doubtfulFrom, guide }: Comparison): boolean {
  if (!sameAttributes(side, base)) return false;
  const isDoubtful =
    guide?.changed.has(path.toString('latin1')) === true ||
    (doubtfulFrom !== undefined && BigInt(base.stat.ctime.sec) >= doubtfulFrom) ||
    (side.stat.ino === base.stat.ino && !sameTime(side.stat.ctime, base.stat.ctime));
  return !isDoubtful || sameContent(side, base);
}
