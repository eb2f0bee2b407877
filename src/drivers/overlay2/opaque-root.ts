/**
 * A layer whose root hides all that is below. overlayfs does not look at the mark there: the roots of all layers are one. So each
 * name that the layers below show in theirs is hidden by itself.
 */
import { isWhiteoutDevice, type OverlayPrefix } from '../../archive/whiteouts.ts';
import { mknodAt } from '../../linux/at.ts';
import { namesIn } from '../../linux/directory-names.ts';
import { withRoot } from '../../linux/open-directory.ts';
import { lstatIfAny, S_IFCHR } from '../../linux/stat.ts';
import { lgetxattr, lremovexattr } from '../../linux/xattr.ts';

/** Puts whiteouts in the place of the mark, where a layer that was just unpacked into `root` has it; `lowers` is nearest first. */
export function hideBelowRoot(root: string, lowers: readonly string[], prefix: OverlayPrefix): void {
  const mark = Buffer.from(`${prefix}opaque`);
  if (lgetxattr(root, mark) === undefined) return;
  const hidden = namesShown(lowers);
  withRoot(root, (fd) => {
    for (const [name, isShown] of hidden) {
      const bytes = Buffer.from(name, 'latin1');
      if (isShown && lstatIfAny(fd, bytes) === undefined) mknodAt(fd, bytes, S_IFCHR, 0, 0);
    }
  });
  lremovexattr(root, mark);
}

/** The names in the roots of layers, and whether each is seen through all of them: the nearest layer that has one decides. */
function namesShown(lowers: readonly string[]): Map<string, boolean> {
  const names = new Map<string, boolean>();
  for (const lower of lowers)
    withRoot(lower, (fd) => {
      for (const bytes of namesIn(fd)) {
        const name = bytes.toString('latin1');
        const stat = names.has(name) ? undefined : lstatIfAny(fd, bytes);
        if (stat !== undefined) names.set(name, !isWhiteoutDevice(stat));
      }
    });
  return names;
}
