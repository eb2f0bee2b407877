import { namesIn } from '../linux/directory-names.ts';
import { withDirectory, withRoot } from '../linux/open-directory.ts';
import { type FileStat, lstatIfAny, S_IFLNK, S_IFMT, S_IFREG } from '../linux/stat.ts';
import { isDirectoryStat } from './directory.ts';

/** Adds up sizes as Docker shows them: what files and symbolic links say they hold, each inode once. */
export class SizeSum {
  #bytes = 0;
  readonly #seen = new Set<bigint>();

  add(stat: FileStat): void {
    const type = stat.mode & S_IFMT;
    if (type !== S_IFREG && type !== S_IFLNK) return;
    if (stat.nlink > 1) {
      if (this.#seen.has(stat.ino)) return;
      this.#seen.add(stat.ino);
    }
    this.#bytes += stat.size;
  }

  get bytes(): number {
    return this.#bytes;
  }
}

/** The size of everything below `root`, in bytes, but for names that are to be skipped, with what is below them. */
export function treeSize(root: string, skips: (name: Buffer) => boolean = () => false): number {
  const sum = new SizeSum();
  const walk = (fd: number): void => {
    for (const name of namesIn(fd)) {
      const stat = lstatIfAny(fd, name);
      if (stat === undefined || skips(name)) continue;
      if (isDirectoryStat(stat)) withDirectory(fd, name, walk);
      else sum.add(stat);
    }
  };
  withRoot(root, walk);
  return sum.bytes;
}
