/**
 * The files of a kernel's modules, as `make modules_install` leaves them. `build` and `source` are links to the whole tree
 * that the kernel was made in, which may lead nowhere by now, or back to where we are: they are none of its modules.
 */
import { createHash } from 'node:crypto';
import { type Stats, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { listDirectory } from '../linux/files.ts';

/** Links beside `modules.dep` that are not followed. */
const BESIDE = new Set(['build', 'source']);

/** A module, or one of depmod's and the kernel's lists: what a machine needs of the folder. */
const WANTED = /\.ko(?:\.(?:xz|zst|gz))?$|^modules\./;

/** A file below a folder of modules. */
export interface ModuleFile {
  /** Below the folder. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly mtimeMs: number;
}

/**
 * The modules and their lists in a folder that has `modules.dep`, or below one that holds such folders; in the order of their
 * paths. Links are followed, but for those to the kernel's source; one that leads nowhere, or to a folder that it is in itself, is
 * none of them. A folder that is not there has none.
 */
export function moduleFiles(folder: string): readonly ModuleFile[] {
  const found: ModuleFile[] = [];
  const visit = (below: string, above: readonly string[]): void => {
    const names = listDirectory(join(folder, below)).sort();
    const isTop = names.includes('modules.dep');
    for (const name of names) {
      if (isTop && BESIDE.has(name)) continue;
      const path = below === '' ? name : `${below}/${name}`;
      const stats = statsOf(join(folder, path));
      if (stats?.isDirectory() === true && !above.includes(inode(stats)))
        visit(path, [...above, inode(stats)]);
      if (stats?.isFile() === true && WANTED.test(name))
        found.push({ path, size: stats.size, mtimeMs: stats.mtimeMs });
    }
  };
  const top = statsOf(folder);
  if (top?.isDirectory() === true) visit('', [inode(top)]);
  return found;
}

/**
 * What makes two folders of modules the same without reading them: path, size and time of each module and list, hashed. Takes
 * what `moduleFiles` takes. Another one as soon as a module is copied over an old one, or depmod has run.
 */
export function modulesIdentity(folder: string): string {
  const files = moduleFiles(folder).map(({ path, size, mtimeMs }) => [path, size, mtimeMs]);
  return createHash('sha256')
    .update(JSON.stringify([resolve(folder), files]))
    .digest('hex');
}

function inode({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

/** `undefined` for what is not there, and for a link that leads nowhere or in a circle. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
