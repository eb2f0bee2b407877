/**
 * How a layer says that something of a lower layer is gone, in its two forms. That of a tar is AUFS's, which keeps the same
 * names on disk.
 *
 * | means                                | in a tar (OCI image spec, "Whiteouts")     | on overlayfs (kernel, `overlayfs.rst`)         |
 * |--------------------------------------|--------------------------------------------|------------------------------------------------|
 * | NAME is gone                         | an empty file `.wh.NAME`                   | a character device 0/0 called NAME             |
 * | the directory hides the lower ones   | an empty file `.wh..wh..opq` in it         | the xattr `trusted.overlay.opaque` = `y` on it |
 *
 * Other names that start with `.wh..wh.` are AUFS's own bookkeeping (`.wh..wh.plnk`, `.wh..wh.orph`, `.wh..wh.aufs`),
 * which old layers may carry: they are not files of the layer.
 *
 * Names are latin1 strings here: one character for each byte.
 */
import { type FileStat, S_IFCHR, S_IFMT } from '../linux/stat.ts';

/** What the name of a whiteout starts with. */
export const WHITEOUT_PREFIX = '.wh.';
/** What the names of AUFS's own files start with. */
export const WHITEOUT_META_PREFIX = '.wh..wh.';
/** The name of the file that makes its directory opaque. */
export const WHITEOUT_OPAQUE = '.wh..wh..opq';
/** The same in the first AUFS, before 2008: read, never written. */
export const WHITEOUT_OPAQUE_OLD = '.wh.__dir_opaque';
/** AUFS's directory of files that hard links of the layer point to. */
export const WHITEOUT_LINKS = '.wh..wh.plnk';

/** The prefix of overlayfs's own extended attributes: `user.` when mounted with `userxattr`. */
export type OverlayPrefix = 'trusted.overlay.' | 'user.overlay.';

/** What the names of the extended attributes begin with that overlayfs and fuse-overlayfs keep for themselves. */
const UNION_PREFIXES = ['trusted.overlay.', 'user.overlay.', 'user.fuseoverlayfs.'] as const;

/** What a name in a layer's tar is. */
export type NameKind =
  | { readonly kind: 'plain' }
  | { readonly kind: 'whiteout'; readonly hides: string }
  | { readonly kind: 'opaque' }
  | { readonly kind: 'metadata' }
  | { readonly kind: 'invalid'; readonly reason: string };

const PLAIN: NameKind = { kind: 'plain' };
const METADATA: NameKind = { kind: 'metadata' };

/** Tells what a cleaned path of a layer's tar is, from its components. */
export function nameKind(path: string): NameKind {
  if (!path.startsWith(WHITEOUT_PREFIX) && !path.includes(`/${WHITEOUT_PREFIX}`)) return PLAIN;
  const components = path.split('/');
  const base = components.pop() ?? '';
  if (components.some((component) => component.startsWith(WHITEOUT_META_PREFIX))) return METADATA;
  // Such a directory would be read as a whiteout when the layer leaves again.
  const below = components.find((component) => component.startsWith(WHITEOUT_PREFIX));
  if (below !== undefined) return { kind: 'invalid', reason: 'it lies below a whiteout' };
  if (!base.startsWith(WHITEOUT_PREFIX)) return PLAIN;
  if (base === WHITEOUT_OPAQUE || base === WHITEOUT_OPAQUE_OLD) return { kind: 'opaque' };
  if (base.startsWith(WHITEOUT_META_PREFIX)) return METADATA;
  const hides = base.slice(WHITEOUT_PREFIX.length);
  if (hides === '' || hides === '.' || hides === '..') {
    return { kind: 'invalid', reason: `it is a whiteout of ${hides === '' ? 'nothing' : `"${hides}"`}` };
  }
  return { kind: 'whiteout', hides };
}

/** Whether the kernel takes this file for a whiteout. */
export function isWhiteoutDevice(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFCHR && stat.rdevMajor === 0 && stat.rdevMinor === 0;
}

/**
 * Whether an extended attribute is overlayfs's own, under either prefix, or that of fuse-overlayfs. Such attributes never cross the border of a
 * layer: from a tar they would make the kernel look for a directory elsewhere (`redirect`), take a file's content from
 * a lower one (`metacopy`) or hide what the layer's own whiteouts do not hide.
 */
export function isOverlayXattr(name: string): boolean {
  return UNION_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** The namespaces of extended attributes that are the kernel's, whatever the file system. Source: xattr(7). */
const NAMESPACES = /^(user|trusted|security|system)\./;

/** Whether an extended attribute is one that a single file system has: it says how the store keeps the file. */
export function isFilesystemXattr(name: string): boolean {
  return !NAMESPACES.test(name);
}

/**
 * Whether an extended attribute is part of a layer: `user.*`, `trusted.*`, file capabilities and ACLs, but for
 * overlayfs's own. SELinux labels and integrity hashes belong to the host that the file lies on.
 */
export function isLayerXattr(name: string): boolean {
  if (isOverlayXattr(name)) return false;
  return (
    name.startsWith('user.') ||
    name.startsWith('trusted.') ||
    name === 'security.capability' ||
    name === 'system.posix_acl_access' ||
    name === 'system.posix_acl_default'
  );
}
