/**
 * The lower layers of a union, read from their own directories. How a union notes what is gone is told by `UnionMarks`
 * (union-marks.ts).
 *
 * What is at a path is found by walking down the layers' directories of that path, topmost first, as unions do: a whiteout
 * or a file ends the search, and so does, after it, an opaque directory.
 */
import { closeFd, O_DIRECTORY, O_PATH, openAt } from '../linux/at.ts';
import { withDirectory } from '../linux/open-directory.ts';
import { AT_FDCWD, type FileStat, lstatAt, lstatIfAny } from '../linux/stat.ts';
import { procPath } from './unpack-attributes.ts';
import { isDirectory } from './unpack-tree.ts';

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

/** A file of a lower layer. */
export interface LowerFile {
  /** The open root of its layer. */
  readonly fd: number;
  /** Its path below that. */
  readonly name: Buffer;
  readonly stat: FileStat;
}

/** What the lower layers have under a name. */
export interface Lower {
  readonly side: LowerFile;
  /** For a directory: which roots contribute to it. */
  readonly stack: Stack;
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
    let top: LowerFile | undefined;
    const below: number[] = [];
    for (const root of stack) {
      const stat = lstatIfAny(root, relative);
      if (this.#marks.isGone(root, relative, stat)) break;
      if (stat === undefined) continue;
      top ??= { fd: root, name: relative, stat };
      if (!isDirectory(stat)) break;
      below.push(root);
      const full = procPath(root, relative);
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

  /** The directory that the first layer's own at a path (absolute within the layer) is merged with, of the nearest layer. */
  below(path: Buffer): LowerFile | undefined {
    const [, fd] = this.lookup(path)?.stack ?? [];
    if (fd === undefined) return undefined;
    const name = path.subarray(1);
    return { fd, name, stat: lstatAt(fd, name) };
  }

  /** Whether they show a directory at a path. */
  showDirectory(path: Buffer): boolean {
    const found = this.lookup(path);
    return found !== undefined && isDirectory(found.side.stat);
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
function topDirectories(top: LowerFile, below: Stack): Stack {
  return isDirectory(top.stat) ? below : [];
}
