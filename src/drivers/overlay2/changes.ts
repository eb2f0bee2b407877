/** What a layer changed, by overlayfs's marks (../layer-changes.ts). */

import { isWhiteoutDevice, type OverlayPrefix } from '../../archive/whiteouts.ts';
import { namesIn } from '../../linux/directory-names.ts';
import { withDirectory, withRoot } from '../../linux/open-directory.ts';
import { type FileStat, lstatIfAny, S_IFMT, S_IFREG } from '../../linux/stat.ts';
import { lgetxattr } from '../../linux/xattr.ts';
import { isDirectoryStat, viaFd } from '../directory.ts';
import type { Change } from '../driver.ts';
import { layerChanges, type UnionMarks } from '../layer-changes.ts';

/** Thrown inside when a layer has marks that only the kernel follows. */
class Redirected extends Error {}

/**
 * The changes of `upper` against `lowers` (absolute, topmost first), sorted. `undefined` when a directory was renamed
 * with `redirect_dir` or a file copied up with `metacopy`, by another program than this one: compare the mounted trees.
 */
export function upperChanges(
  upper: string,
  lowers: readonly string[],
  prefix: OverlayPrefix,
): Change[] | undefined {
  try {
    return layerChanges(upper, lowers, overlayfsMarks(prefix));
  } catch (error) {
    if (error instanceof Redirected) return undefined;
    throw error;
  }
}

function overlayfsMarks(prefix: OverlayPrefix): UnionMarks {
  return {
    contents: (fd) => {
      const names: Buffer[] = [];
      const gone: Buffer[] = [];
      for (const name of namesIn(fd)) {
        const stat = lstatIfAny(fd, name);
        (stat !== undefined && isWhiteoutDevice(stat) ? gone : names).push(name);
      }
      return { names, gone };
    },
    isGone: (_root, _path, stat) => stat !== undefined && isWhiteoutDevice(stat),
    isOpaque: (path) => lgetxattr(path, `${prefix}opaque`)?.toString('latin1') === 'y',
    check: (path, stat) => refuseRedirects(path, stat, prefix),
  };
}

function refuseRedirects(path: Buffer, stat: FileStat, prefix: OverlayPrefix): void {
  const mark = isDirectoryStat(stat) ? 'redirect' : 'metacopy';
  if (mark === 'metacopy' && (stat.mode & S_IFMT) !== S_IFREG) return;
  if (lgetxattr(path, `${prefix}${mark}`) !== undefined) throw new Redirected();
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
