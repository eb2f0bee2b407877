import { lstatSync, readdirSync, readlinkSync } from 'node:fs';

/**
 * Every file below a folder, one line each, with all that a write would change: size, mode, owner, links, and the times of
 * data and inode to the nanosecond. `ignored` are paths, relative, that may change with all that is in them.
 */
export function listing(folder: string, ignored: readonly string[] = []): string[] {
  const lines: string[] = [];
  const walk = (path: string): void => {
    const relative = path.slice(folder.length);
    if (ignored.includes(relative)) return;
    const stat = lstatSync(path, { bigint: true });
    const target = stat.isSymbolicLink() ? readlinkSync(path, 'latin1') : '';
    const { mode, uid, gid, size, nlink, ino, mtimeNs, ctimeNs } = stat;
    lines.push([relative, mode, uid, gid, size, nlink, ino, mtimeNs, ctimeNs, target].join(' '));
    if (!stat.isDirectory()) return;
    for (const name of readdirSync(path, 'latin1').toSorted()) walk(`${path}/${name}`);
  };
  walk(folder);
  return lines;
}
