/** The marks of unions in a layer's directory, read: see whiteouts.ts for what they are. unpack-marks.ts writes them. */
import { namesIn } from '../linux/directory-names.ts';
import { AT_FDCWD, type FileStat, lstatIfAny, S_IFMT, S_IFREG } from '../linux/stat.ts';
import { lgetxattr } from '../linux/xattr.ts';
import type { DirectoryContents, UnionMarks } from './lower-layers.ts';
import { LIMITS } from './types.ts';
import {
  isWhiteoutDevice,
  nameKind,
  type OverlayPrefix,
  WHITEOUT_OPAQUE,
  WHITEOUT_OPAQUE_OLD,
  WHITEOUT_PREFIX,
} from './whiteouts.ts';

/** overlayfs's. */
export function overlayfsMarks(prefix: OverlayPrefix): UnionMarks {
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
  };
}

/** AUFS's. Its own files are none of a layer's. */
export const aufsMarks: UnionMarks = {
  contents: aufsContents,
  isGone: (root, path) => isWhiteoutFile(whiteoutAt(root, path)),
  isOpaque: (path) =>
    [WHITEOUT_OPAQUE, WHITEOUT_OPAQUE_OLD].some(
      (mark) => lstatIfAny(AT_FDCWD, Buffer.concat([path, Buffer.from(`/${mark}`)])) !== undefined,
    ),
};

/** The whiteout file that hides a path below `root`. A name that is too long to have one is hidden by none. */
export function whiteoutAt(root: number, path: Buffer): FileStat | undefined {
  const start = path.lastIndexOf('/') + 1;
  if (path.length - start > LIMITS.nameComponent - WHITEOUT_PREFIX.length) return undefined;
  const whiteout = [path.subarray(0, start), Buffer.from(WHITEOUT_PREFIX), path.subarray(start)];
  return lstatIfAny(root, Buffer.concat(whiteout));
}

function aufsContents(fd: number): DirectoryContents {
  const names: Buffer[] = [];
  const gone: Buffer[] = [];
  for (const name of namesIn(fd)) {
    const kind = nameKind(name.toString('latin1'));
    if (kind.kind === 'plain') names.push(name);
    else if (kind.kind === 'whiteout' && isWhiteoutFile(lstatIfAny(fd, name))) {
      gone.push(Buffer.from(kind.hides, 'latin1'));
    }
  }
  return { names, gone };
}

function isWhiteoutFile(stat: FileStat | undefined): boolean {
  return stat !== undefined && (stat.mode & S_IFMT) === S_IFREG;
}
