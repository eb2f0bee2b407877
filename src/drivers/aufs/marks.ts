/** AUFS's marks in a layer's directory, read: see `archive/whiteouts.ts` for what they are. */
import { LIMITS } from '../../archive/types.ts';
import { nameKind, WHITEOUT_OPAQUE, WHITEOUT_OPAQUE_OLD, WHITEOUT_PREFIX } from '../../archive/whiteouts.ts';
import { namesIn } from '../../linux/directory-names.ts';
import { AT_FDCWD, type FileStat, lstatIfAny, S_IFMT, S_IFREG } from '../../linux/stat.ts';
import type { DirectoryContents, UnionMarks } from '../layer-changes.ts';

/** See `UnionMarks`. AUFS's own files are none of a layer's. */
export const aufsMarks: UnionMarks = {
  contents,
  isGone: (root, path) => isWhiteout(whiteoutAt(root, path)),
  isOpaque: (path) =>
    [WHITEOUT_OPAQUE, WHITEOUT_OPAQUE_OLD].some(
      (mark) => lstatIfAny(AT_FDCWD, Buffer.concat([path, Buffer.from(`/${mark}`)])) !== undefined,
    ),
};

/** Whether a name is a mark of any kind, and not a file's. */
export function isMarkName(name: Buffer): boolean {
  return nameKind(name.toString('latin1')).kind !== 'plain';
}

/** The whiteout that hides a path below `root`. A name that is too long to have one is hidden by none. */
export function whiteoutAt(root: number, path: Buffer): FileStat | undefined {
  const start = path.lastIndexOf('/') + 1;
  if (path.length - start > LIMITS.nameComponent - WHITEOUT_PREFIX.length) return undefined;
  return lstatIfAny(root, whiteoutOf(path, start));
}

function whiteoutOf(path: Buffer, start: number): Buffer {
  return Buffer.concat([path.subarray(0, start), Buffer.from(WHITEOUT_PREFIX), path.subarray(start)]);
}

function contents(fd: number): DirectoryContents {
  const names: Buffer[] = [];
  const gone: Buffer[] = [];
  for (const name of namesIn(fd)) {
    const kind = nameKind(name.toString('latin1'));
    if (kind.kind === 'plain') names.push(name);
    else if (kind.kind === 'whiteout' && isWhiteout(lstatIfAny(fd, name))) {
      gone.push(Buffer.from(kind.hides, 'latin1'));
    }
  }
  return { names, gone };
}

function isWhiteout(stat: FileStat | undefined): boolean {
  return stat !== undefined && (stat.mode & S_IFMT) === S_IFREG;
}
