/**
 * What a layer changed, read from its upper directory: the cost follows what changed. The result is the same as that of
 * comparing the two mounted trees (../compare-trees.ts), and a test holds them against each other.
 *
 * What a directory looked like before is found by walking down the lower layers' directories of that path, topmost
 * first, as overlayfs does: a whiteout or a file ends the search, and so does, after it, an opaque directory.
 */

import { isWhiteoutDevice, type OverlayPrefix } from '../../archive/whiteouts.ts';
import { closeFd, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, openAt } from '../../linux/at.ts';
import { readInto } from '../../linux/files.ts';
import { withDirectory, withRoot } from '../../linux/open-directory.ts';
import { AT_FDCWD, type FileStat, lstatIfAny, S_IFMT, S_IFREG } from '../../linux/stat.ts';
import { lgetxattr } from '../../linux/xattr.ts';
import { sortChanges } from '../compare-trees.ts';
import { childPath, isDirectoryStat, namesIn, viaFd } from '../directory.ts';
import type { Change } from '../driver.ts';
import { type Side, sameAttributes } from '../same-file.ts';

/** Thrown inside when a layer has marks that only the kernel follows. */
class Redirected extends Error {}

/** Lower layers' directories that make up one directory: open roots, topmost first. */
type Stack = readonly number[];

/** What the lower layers have under a name. */
interface Lower {
  readonly side: Side;
  /** For a directory: which roots contribute to it. */
  readonly stack: Stack;
}

/**
 * The changes of `upper` against `lowers` (absolute, topmost first), sorted. `undefined` when a directory was renamed
 * with `redirect_dir` or a file copied up with `metacopy`, by another program than this one: compare the mounted trees.
 */
export function upperChanges(
  upper: string,
  lowers: readonly string[],
  prefix: OverlayPrefix,
): Change[] | undefined {
  const roots: number[] = [];
  try {
    for (const lower of lowers) roots.push(openAt(AT_FDCWD, lower, O_PATH | O_DIRECTORY));
    const walk = new Walk(prefix);
    withRoot(upper, (fd) => walk.directory(fd, roots, false, Buffer.alloc(0)));
    return sortChanges(walk.changes);
  } catch (error) {
    if (error instanceof Redirected) return undefined;
    throw error;
  } finally {
    roots.forEach(closeFd);
  }
}

class Walk {
  readonly changes: Change[] = [];
  readonly #prefix: OverlayPrefix;

  constructor(prefix: OverlayPrefix) {
    this.#prefix = prefix;
  }

  /** One directory of the upper layer over the same of the lower ones. Gives whether anything in it changed. */
  directory(fd: number, stack: Stack, opaque: boolean, at: Buffer): boolean {
    const before = this.changes.length;
    const seen = new Set<string>();
    for (const name of namesIn(fd)) {
      if (opaque) seen.add(name.toString('latin1'));
      this.#one(fd, stack, name, childPath(at, name), opaque);
    }
    if (opaque) {
      for (const name of this.#lowerNames(stack, at)) {
        if (!seen.has(name.toString('latin1')) && this.#lower(stack, childPath(at, name)) !== undefined) {
          this.changes.push({ kind: 'deleted', path: childPath(at, name) });
        }
      }
    }
    return this.changes.length > before;
  }

  #one(fd: number, stack: Stack, name: Buffer, path: Buffer, inOpaque: boolean): void {
    const stat = lstatIfAny(fd, name);
    if (stat === undefined) return;
    const lower = this.#lower(stack, path);
    if (isWhiteoutDevice(stat)) {
      if (lower !== undefined) this.changes.push({ kind: 'deleted', path });
      return;
    }
    this.#refuseRedirects(viaFd(fd, name), stat);
    let changed = false;
    if (isDirectoryStat(stat)) {
      // Directories made inside an opaque one are not marked themselves: there is nothing below that they could show.
      const opaque = inOpaque || this.#isOpaque(viaFd(fd, name));
      const below = lower !== undefined && isDirectoryStat(lower.side.stat) ? lower.stack : [];
      changed = withDirectory(fd, name, (child) => this.directory(child, below, opaque, path));
    }
    const side = { fd, name, stat };
    if (lower === undefined) this.changes.push({ kind: 'added', path });
    else if (changed || !sameAttributes(side, lower.side) || !sameContent(side, lower.side)) {
      this.changes.push({ kind: 'modified', path });
    }
  }

  /** What the lower layers show at `path`, whose parent directory is made up of `stack`. */
  #lower(stack: Stack, path: Buffer): Lower | undefined {
    const relative = path.subarray(1);
    let top: Side | undefined;
    const below: number[] = [];
    for (const root of stack) {
      const stat = lstatIfAny(root, relative);
      if (stat === undefined) continue;
      if (isWhiteoutDevice(stat)) break;
      if (!isDirectoryStat(stat)) {
        top ??= { fd: root, name: relative, stat };
        break;
      }
      top ??= { fd: root, name: relative, stat };
      below.push(root);
      const full = viaFd(root, relative);
      this.#refuseRedirects(full, stat);
      if (this.#isOpaque(full)) break;
    }
    return top && { side: top, stack: below };
  }

  #lowerNames(stack: Stack, at: Buffer): Buffer[] {
    const names = new Map<string, Buffer>();
    for (const root of stack) {
      const relative = at.length === 0 ? Buffer.from('.') : at.subarray(1);
      withDirectory(root, relative, (fd) => {
        for (const name of namesIn(fd)) names.set(name.toString('latin1'), name);
      });
    }
    return [...names.values()];
  }

  #isOpaque(path: Buffer): boolean {
    return lgetxattr(path, `${this.#prefix}opaque`)?.toString('latin1') === 'y';
  }

  #refuseRedirects(path: Buffer, stat: FileStat): void {
    const mark = isDirectoryStat(stat) ? 'redirect' : 'metacopy';
    if (mark === 'metacopy' && (stat.mode & S_IFMT) !== S_IFREG) return;
    if (lgetxattr(path, `${this.#prefix}${mark}`) !== undefined) throw new Redirected();
  }
}

/** Whether an upper directory holds redirects or metadata-only copies, whose content the layer itself does not have. */
export function hasRedirects(upper: string, prefix: OverlayPrefix): boolean {
  const walk = (fd: number): boolean =>
    namesIn(fd).some((name) => {
      const stat = lstatIfAny(fd, name);
      if (stat === undefined) return false;
      if (isDirectoryStat(stat)) {
        if (lgetxattr(viaFd(fd, name), `${prefix}redirect`) !== undefined) return true;
        return withDirectory(fd, name, walk);
      }
      if ((stat.mode & S_IFMT) !== S_IFREG) return false;
      return lgetxattr(viaFd(fd, name), `${prefix}metacopy`) !== undefined;
    });
  return withRoot(upper, walk);
}

const PIECE = 65_536;

/**
 * Whether two regular files of the same attributes hold the same bytes. Only asked of files that were copied up and
 * then look unchanged, which is rare: opened for writing and not written, or changed and the time put back.
 */
function sameContent(a: Side, b: Side): boolean {
  if ((a.stat.mode & S_IFMT) !== S_IFREG) return true;
  return withFile(a, (fdA) => withFile(b, (fdB) => sameBytes(fdA, fdB)));
}

function sameBytes(fdA: number, fdB: number): boolean {
  const [bufferA, bufferB] = [Buffer.alloc(PIECE), Buffer.alloc(PIECE)];
  for (;;) {
    const lengthA = readInto(fdA, bufferA, 0, PIECE, null);
    const lengthB = readInto(fdB, bufferB, 0, PIECE, null);
    if (lengthA !== lengthB || bufferA.compare(bufferB, 0, lengthB, 0, lengthA) !== 0) return false;
    if (lengthA === 0) return true;
  }
}

function withFile<T>(side: Side, run: (fd: number) => T): T {
  const fd = openAt(side.fd, side.name, O_RDONLY | O_NOFOLLOW);
  try {
    return run(fd);
  } finally {
    closeFd(fd);
  }
}
