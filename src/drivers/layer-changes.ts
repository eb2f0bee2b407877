/**
 * What a layer changed, read from its own directory in a union: the cost follows what changed. The result is the same as that
 * of comparing the two mounted trees (compare-trees.ts), and tests hold them against each other. What was there before is
 * found in the lower layers' own directories (archive/lower-layers.ts).
 */

import { LowerLayers, type Stack, type UnionMarks } from '../archive/lower-layers.ts';
import { withDirectory, withRoot } from '../linux/open-directory.ts';
import { lstatIfAny } from '../linux/stat.ts';
import { sortChanges } from './compare-trees.ts';
import { childPath, isDirectoryStat, viaFd } from './directory.ts';
import type { Change } from './driver.ts';
import { sameAttributes, sameContent } from './same-file.ts';

/** The changes of `upper` against `lowers` (absolute, topmost first), sorted. */
export function layerChanges(upper: string, lowers: readonly string[], marks: UnionMarks): Change[] {
  using below = new LowerLayers(lowers, marks);
  const walk = new Walk(below, marks);
  withRoot(upper, (fd) => walk.directory(fd, below.roots, false, Buffer.alloc(0)));
  return sortChanges(walk.changes);
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
