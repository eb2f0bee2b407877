/** What a layer changed, by overlayfs's marks (../layer-changes.ts). */

import { overlayfsMarks } from '../../archive/union-marks.ts';
import type { OverlayPrefix } from '../../archive/whiteouts.ts';
import { namesIn } from '../../linux/directory-names.ts';
import { withDirectory, withRoot } from '../../linux/open-directory.ts';
import { type FileStat, lstatIfAny, S_IFMT, S_IFREG } from '../../linux/stat.ts';
import { lgetxattr } from '../../linux/xattr.ts';
import { isDirectoryStat, viaFd } from '../directory.ts';
import type { Change } from '../driver.ts';
import { layerChanges } from '../layer-changes.ts';

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
    return layerChanges(upper, lowers, {
      ...overlayfsMarks(prefix),
      check: (path, stat) => refuseRedirects(path, stat, prefix),
    });
  } catch (error) {
    if (error instanceof Redirected) return undefined;
    throw error;
  }
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
