import {
  type FileStat,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../linux/stat.ts';
import { fgetxattr, flistxattr, lgetxattr, llistxattr } from '../linux/xattr.ts';
import { EMPTY } from './header.ts';
import type { EntryType, TarEntry } from './types.ts';
import { isLayerXattr, isOverlayXattr, WHITEOUT_PREFIX } from './whiteouts.ts';

/** What a mode's file type is in an archive; `undefined` for sockets, which have no place there. */
export function entryType(mode: number): EntryType | undefined {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 'file';
    case S_IFDIR:
      return 'directory';
    case S_IFLNK:
      return 'symlink';
    case S_IFCHR:
      return 'char';
    case S_IFBLK:
      return 'block';
    case S_IFIFO:
      return 'fifo';
    default:
      return undefined;
  }
}

/** A file's extended attributes: those that belong to the layer, and those that overlayfs keeps there for itself. */
export interface FileXattrs {
  readonly layer: ReadonlyMap<string, Buffer>;
  readonly overlay: ReadonlyMap<string, Buffer>;
}

const NO_ATTRIBUTES: ReadonlyMap<string, Buffer> = new Map();
const NO_XATTRS: FileXattrs = { layer: NO_ATTRIBUTES, overlay: NO_ATTRIBUTES };

/** The extended attributes of an open file. */
export function xattrsOfOpen(fd: number): FileXattrs {
  return sorted(flistxattr(fd), (name) => fgetxattr(fd, name));
}

/** The extended attributes of a path whose last component is not followed. */
export function xattrsOfPath(path: Buffer): FileXattrs {
  return sorted(llistxattr(path), (name) => lgetxattr(path, name));
}

function sorted(names: readonly Buffer[], value: (name: Buffer) => Buffer | undefined): FileXattrs {
  if (names.length === 0) return NO_XATTRS;
  const layer = new Map<string, Buffer>();
  const overlay = new Map<string, Buffer>();
  for (const name of names) {
    const key = name.toString('latin1');
    const into = isOverlayXattr(key) ? overlay : isLayerXattr(key) ? layer : undefined;
    // It may have been removed since it was listed.
    const bytes = into === undefined ? undefined : value(name);
    if (bytes !== undefined) into?.set(key, bytes);
  }
  return { layer, overlay };
}

/**
 * The member for a file, without content: what it is comes from `stat`. Owners are numbers only, and there are no
 * access and change times, so that the same tree always gives the same bytes.
 */
export function entryFor(
  name: Buffer,
  type: EntryType,
  stat: FileStat,
  xattrs: ReadonlyMap<string, Buffer>,
  linkName: Buffer = EMPTY,
): TarEntry {
  const device = type === 'char' || type === 'block';
  return {
    type,
    name,
    linkName,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    uname: EMPTY,
    gname: EMPTY,
    size: type === 'file' ? stat.size : 0,
    mtime: stat.mtime,
    devMajor: device ? stat.rdevMajor : 0,
    devMinor: device ? stat.rdevMinor : 0,
    xattrs,
  };
}

const SLASH = 0x2f;

/** The member that says that `path` is gone: an empty file beside it. It has no time, owner or mode that could differ. */
export function whiteoutEntry(path: Buffer): TarEntry {
  const start = path.lastIndexOf(SLASH) + 1;
  const name = Buffer.concat([path.subarray(0, start), Buffer.from(WHITEOUT_PREFIX), path.subarray(start)]);
  return emptyFile(name);
}

/** An empty file of root's that is always the same. */
export function emptyFile(name: Buffer): TarEntry {
  return {
    type: 'file',
    name,
    linkName: EMPTY,
    mode: 0o600,
    uid: 0,
    gid: 0,
    uname: EMPTY,
    gname: EMPTY,
    size: 0,
    mtime: { sec: 0, nsec: 0 },
    devMajor: 0,
    devMinor: 0,
    xattrs: NO_ATTRIBUTES,
  };
}
