/** How a layer that is unpacked into a directory of its own notes what it hides of lower layers. */
import { closeFd, mknodAt, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY, openAt, unlinkAt } from '../linux/at.ts';
import { type FileStat, lstatIfAny, S_IFCHR } from '../linux/stat.ts';
import { fsetxattr } from '../linux/xattr.ts';
import { failedWith } from './unpack-tree.ts';
import { isWhiteoutDevice, WHITEOUT_OPAQUE, WHITEOUT_PREFIX } from './whiteouts.ts';

/** One of the two ways. Names are single components below an open directory. */
export interface LayerMarks {
  /** Notes that the name is gone. Gives what the layer itself has there, and then notes nothing. */
  hide(dirfd: number, name: Buffer): FileStat | undefined;
  /** Makes an open directory hide what lower layers have in it. */
  makeOpaque(fd: number): void;
  /** Takes back that the name is gone, where that was noted; `before` is what has the name. Gives whether it was. */
  uncover(dirfd: number, name: Buffer, before: FileStat | undefined): boolean;
  /** Whether a file that has a name of the layer is such a note itself. */
  isWhiteout(stat: FileStat): boolean;
}

/** overlayfs: a device 0/0 of the name, and an extended attribute. */
export function overlayMarks(opaqueXattr: string): LayerMarks {
  return {
    hide: (dirfd, name) => {
      try {
        mknodAt(dirfd, name, S_IFCHR, 0, 0);
        return undefined;
      } catch (error) {
        if (!failedWith(error, 'EEXIST')) throw error;
        return lstatIfAny(dirfd, name);
      }
    },
    makeOpaque: (fd) => fsetxattr(fd, opaqueXattr, Buffer.from('y')),
    uncover: (dirfd, name, before) => {
      if (before === undefined || !isWhiteoutDevice(before)) return false;
      unlinkAt(dirfd, name);
      return true;
    },
    isWhiteout: isWhiteoutDevice,
  };
}

/** AUFS: empty files beside the name and in the directory, of mode 0444 as AUFS makes them. */
export function aufsMarks(): LayerMarks {
  // Most layers hide nothing, and then no name has to be looked at twice.
  let any = false;
  return {
    hide: (dirfd, name) => {
      const own = lstatIfAny(dirfd, name);
      if (own !== undefined) return own;
      touch(dirfd, whiteoutOf(name));
      any = true;
      return undefined;
    },
    makeOpaque: (fd) => touch(fd, Buffer.from(WHITEOUT_OPAQUE)),
    uncover: (dirfd, name) => {
      if (!any) return false;
      try {
        unlinkAt(dirfd, whiteoutOf(name));
        return true;
      } catch (error) {
        // Such a name would be too long to have been noted.
        if (failedWith(error, 'ENOENT', 'ENAMETOOLONG')) return false;
        throw error;
      }
    },
    isWhiteout: () => false,
  };
}

function whiteoutOf(name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(WHITEOUT_PREFIX), name]);
}

function touch(dirfd: number, name: Buffer): void {
  try {
    closeFd(openAt(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o444));
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error;
  }
}
