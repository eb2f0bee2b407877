import type { FileStat } from '../linux/stat.ts';
import type { Guide } from './compare-trees.ts';

/** A guide that is made of the paths of what changed. */
export abstract class PathGuide implements Guide {
  readonly listed = new Set<string>();
  readonly names = new Map<string, Set<string>>();
  readonly changed = new Map<string, FileStat | undefined>();
  readonly written = new Set<string>();

  abstract pathsOf(inode: bigint): readonly Buffer[];

  /**
   * Adds a path, the root's being empty, and the way to it. `isListed`: its names may be others; nothing comes of that for a file.
   * `stat` is what it is in the tree that is compared, where that was just looked at.
   */
  addPath(path: string, isListed: boolean, stat?: FileStat): void {
    if (isListed) this.listed.add(path);
    if (stat !== undefined || !this.changed.has(path)) this.changed.set(path, stat);
    for (let at = path; at !== ''; ) {
      const slash = at.lastIndexOf('/');
      const [folder, name] = [at.slice(0, slash), at.slice(slash + 1)];
      const known = this.names.get(folder);
      // Then the folders above it are known as well.
      if (known?.has(name) === true) return;
      if (known === undefined) this.names.set(folder, new Set([name]));
      else known.add(name);
      at = folder;
    }
  }
}
