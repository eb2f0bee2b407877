/**
 * What a layer changed, read from its own directory in a union: the cost follows what changed. The result is the same as that
 * of comparing the two mounted trees (compare-trees.ts), and tests hold them against each other. How a union notes what is
 * gone is the driver's (`UnionMarks`).
 *
 * What a directory looked like before is found by walking down the lower layers' directories of that path, topmost
 * first, as unions do: a whiteout or a file ends the search, and so does, after it, an opaque directory.
 */

import { closeFd, O_DIRECTORY, O_PATH, openAt } from '../linux/at.ts';
import { withDirectory, withRoot } from '../linux/open-directory.ts';
import { AT_FDCWD, type FileStat, lstatIfAny } from '../linux/stat.ts';
import { sortChanges } from './compare-trees.ts';
import { childPath, isDirectoryStat, viaFd } from './directory.ts';
import type { Change } from './driver.ts';
import { type Side, sameAttributes, sameContent } from './same-file.ts';

/** What an open directory of one layer holds. */
export interface DirectoryContents {
  /** Names of files. */
  readonly names: readonly Buffer[];
  /** Names that are gone from lower layers. */
  readonly gone: readonly Buffer[];
}

/** How a union notes what a layer hides of lower ones. */
export interface UnionMarks {
  /** What a directory of a layer holds, its marks read. */
  contents(fd: number): DirectoryContents;
  /** Whether a layer notes that a path is gone; `stat` is what has the path itself in that layer. */
  isGone(root: number, path: Buffer, stat: FileStat | undefined): boolean;
  /** Whether the directory at a path hides the lower ones. */
  isOpaque(path: Buffer): boolean;
  /** Throws where a file of a layer is not what it looks like, so that nothing but the mounted trees tells. */
  check?(path: Buffer, stat: FileStat): void;
}

/** Lower layers' directories that make up one directory: open roots, topmost first. */
export type Stack = readonly number[];

/** What the lower layers have under a name. */
export interface Lower {
  readonly side: Side;
  /** For a directory: which roots contribute to it. */
  readonly stack: Stack;
}

/** The changes of `upper` against `lowers` (absolute, topmost first), sorted. */
export function layerChanges(upper: string, lowers: readonly string[], marks: UnionMarks): Change[] {
  using below = new LowerLayers(lowers, marks);
  const walk = new Walk(below, marks);
  withRoot(upper, (fd) => walk.directory(fd, below.roots, false, Buffer.alloc(0)));
  return sortChanges(walk.changes);
}

/** The layers below one, open until disposed of. */
export class LowerLayers implements Disposable {
  /** Topmost first. */
  readonly roots: Stack;
  readonly #marks: UnionMarks;

  constructor(lowers: readonly string[], marks: UnionMarks) {
    const roots: number[] = [];
    this.roots = roots;
    this.#marks = marks;
    try {
      for (const lower of lowers) roots.push(openAt(AT_FDCWD, lower, O_PATH | O_DIRECTORY));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** What they show at `path` (absolute within the layer), whose parent directory is made up of `stack`. */
  find(path: Buffer, stack: Stack): Lower | undefined {
    const relative = path.subarray(1);
    let top: Side | undefined;
    const below: number[] = [];
    for (const root of stack) {
      const stat = lstatIfAny(root, relative);
      if (this.#marks.isGone(root, relative, stat)) break;
      if (stat === undefined) continue;
      top ??= { fd: root, name: relative, stat };
      if (!isDirectoryStat(stat)) break;
      below.push(root);
      const full = viaFd(root, relative);
      this.#marks.check?.(full, stat);
      if (this.#marks.isOpaque(full)) break;
    }
    return top && { side: top, stack: topDirectories(top, below) };
  }

  /** The same for any path, each of its parents looked up from the root. */
  lookup(path: Buffer): Lower | undefined {
    let found: Lower | undefined;
    let stack = this.roots;
    for (let slash = 0; slash >= 0; ) {
      slash = path.indexOf('/', slash + 1);
      found = this.find(slash < 0 ? path : path.subarray(0, slash), stack);
      if (found === undefined) return undefined;
      stack = found.stack;
    }
    return found;
  }

  /** Whether they show a directory at a path. */
  showDirectory(path: Buffer): boolean {
    const found = this.lookup(path);
    return found !== undefined && isDirectoryStat(found.side.stat);
  }

  /** The names in a directory that is made up of `stack`, those that are gone among them. */
  names(stack: Stack, at: Buffer): Buffer[] {
    const names = new Map<string, Buffer>();
    for (const root of stack) {
      const relative = at.length === 0 ? Buffer.from('.') : at.subarray(1);
      withDirectory(root, relative, (fd) => {
        for (const name of this.#marks.contents(fd).names) names.set(name.toString('latin1'), name);
      });
    }
    return [...names.values()];
  }

  [Symbol.dispose](): void {
    this.roots.forEach(closeFd);
  }
}

/** A file hides the directories below it. */
function topDirectories(top: Side, below: Stack): Stack {
  return isDirectoryStat(top.stat) ? below : [];
}

class Walk {
  readonly changes: Change[] = [];
  readonly #lower: LowerLayers;
  readonly #marks: UnionMarks;

  constructor(lower: LowerLayers, marks: UnionMarks) {
    this.#lower = lower;
    this.#marks = marks;
  }

  /** One directory of the upper layer over the same of the lower ones. Gives whether anything in it changed. */
  directory(fd: number, stack: Stack, opaque: boolean, at: Buffer): boolean {
    const before = this.changes.length;
    const { names, gone } = this.#marks.contents(fd);
    const seen = new Set<string>();
    for (const name of names) {
      if (opaque) seen.add(name.toString('latin1'));
      this.#one(fd, stack, name, childPath(at, name), opaque);
    }
    const missing = opaque
      ? this.#lower.names(stack, at).filter((name) => !seen.has(name.toString('latin1')))
      : gone;
    for (const name of missing) {
      const path = childPath(at, name);
      if (this.#lower.find(path, stack) !== undefined) this.changes.push({ kind: 'deleted', path });
    }
    return this.changes.length > before;
  }

  #one(fd: number, stack: Stack, name: Buffer, path: Buffer, inOpaque: boolean): void {
    const stat = lstatIfAny(fd, name);
    if (stat === undefined) return;
    this.#marks.check?.(viaFd(fd, name), stat);
    const lower = this.#lower.find(path, stack);
    let changed = false;
    if (isDirectoryStat(stat)) {
      // Directories made inside an opaque one are not marked themselves: there is nothing below that they could show.
      const opaque = inOpaque || this.#marks.isOpaque(viaFd(fd, name));
      changed = withDirectory(fd, name, (child) => this.directory(child, lower?.stack ?? [], opaque, path));
    }
    const side = { fd, name, stat };
    if (lower === undefined) this.changes.push({ kind: 'added', path });
    else if (changed || !sameAttributes(side, lower.side) || !sameContent(side, lower.side)) {
      this.changes.push({ kind: 'modified', path });
    }
  }
}
