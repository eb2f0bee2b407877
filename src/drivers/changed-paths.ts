import type { Guide } from './compare-trees.ts';

/** What may differ between two trees, as a driver collects it path by path. */
export abstract class ChangedPaths implements Guide {
  readonly listed = new Set<string>();
  readonly names = new Map<string, Set<string>>();

  abstract pathsOf(inode: bigint): readonly Buffer[];

  /** Adds a path: it is looked at, and listed where it is a directory, and so are the directories above it looked at. */
  protected addPath(path: string): void {
    this.listed.add(path);
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
