/**
 * What overlayfs can do here: found out by doing it in a scratch folder on the filesystem that will hold the layers,
 * because neither versions nor module parameters tell (distributions patch both). The ideas of what to try are those of
 * Docker's driver and of the kernel's `Documentation/filesystems/overlayfs.rst`.
 */

import { isWhiteoutDevice, type OverlayPrefix } from '../../archive/whiteouts.ts';
import { errorMessage, hasErrno } from '../../errors.ts';
import { chmodAt } from '../../linux/at.ts';
import { tellsEntryTypes } from '../../linux/directory-types.ts';
import {
  listDirectory,
  makeDirectories,
  makeDirectory,
  pathExists,
  removeDirectory,
  removeFile,
  renameFile,
  writeNewFile,
} from '../../linux/files.ts';
import { MNT_DETACH, mount, unmount } from '../../linux/mount.ts';
import { inUserNamespace } from '../../linux/namespaces.ts';
import { AT_FDCWD, lstat } from '../../linux/stat.ts';
import { fsName, statfs } from '../../linux/statfs.ts';
import { lgetxattr, lsetxattr } from '../../linux/xattr.ts';
import { inDirectory } from './in-directory.ts';

/** What was found. */
export interface Abilities {
  /** Mount options that go with every mount here: everything that would change layers' format switched off. */
  readonly options: string;
  /** Whether overlayfs keeps its marks in `user.*` attributes. */
  readonly userxattr: boolean;
  /** Why the upper directory does not say exactly what changed; empty when it does. */
  readonly notNative: string;
}

/** Either what overlayfs can do, or why it cannot serve. */
export type ProbeResult = { readonly abilities: Abilities } | { readonly reason: string };

/** The prefix of the attributes in which overlayfs keeps its marks. */
export function xattrPrefix(abilities: Abilities): OverlayPrefix {
  return abilities.userxattr ? 'user.overlay.' : 'trusted.overlay.';
}

/** Filesystems that Docker's driver does not take, whatever a mount might say. */
const UNSUITABLE: ReadonlySet<string> = new Set(['aufs', 'ecryptfs', 'nfs', 'overlayfs', 'zfs']);

/**
 * Options that change what a layer's directories hold (`metacopy`, `redirect_dir`), tie them to one mount (`index`)
 * or make inode numbers depend on how layers are stacked (`xino`). A kernel knows those that it has.
 */
export const OFF = ['index=off', 'metacopy=off', 'redirect_dir=off', 'xino=off'];

/** Why a filesystem cannot serve, told from its type and its directories alone; `undefined` when nothing speaks against it. */
export function unsuitable(folder: string): string | undefined {
  const name = fsName(statfs(folder).magic);
  if (UNSUITABLE.has(name)) {
    return `'overlay2' is not supported over ${name}: put the data root on ext4, xfs or btrfs, or choose another storage driver`;
  }
  makeDirectory(`${folder}/entry`);
  if (!tellsEntryTypes(folder)) {
    const remedy = name === 'xfs' ? ' Reformat the filesystem with ftype=1 to enable d_type support.' : '';
    return `overlay2: the backing ${name} filesystem is formatted without d_type support, which leads to incorrect behavior.${remedy} Backing filesystems without d_type support are not supported.`;
  }
  return undefined;
}

/** Tries everything in `folder`, an empty folder that is the probe's own and is left for the caller to remove. */
export function probeOverlay(folder: string): ProbeResult {
  const reason = unsuitable(folder);
  if (reason !== undefined) return { reason };
  const prefix = markPrefix(folder);
  if (prefix === undefined) {
    return { reason: `overlay2: ${backing(folder)} keeps neither trusted.* nor user.* extended attributes` };
  }
  makeTrees(folder, prefix);
  const userxattr = prefix === 'user.overlay.';
  const mounted = mountWithout(folder, userxattr);
  if ('reason' in mounted) return mounted;
  try {
    const broken = tryWhiteouts(folder, prefix);
    if (broken !== undefined) return { reason: broken };
    const notNative = tryNativeDiff(folder, prefix);
    return { abilities: { options: mounted.options, userxattr, notNative } };
  } finally {
    unmount(`${folder}/merged`, MNT_DETACH);
  }
}

function backing(folder: string): string {
  return `the ${fsName(statfs(folder).magic)} filesystem under the data root`;
}

/** Which attributes can hold overlayfs' marks: `trusted.*` wherever possible, because containers cannot forge them. */
function markPrefix(folder: string): OverlayPrefix | undefined {
  const prefixes: readonly OverlayPrefix[] = ['trusted.overlay.', 'user.overlay.'];
  for (const prefix of inUserNamespace() ? prefixes.slice(1) : prefixes) {
    try {
      lsetxattr(folder, `${prefix}probe`, Buffer.from('y'));
      return prefix;
    } catch (error) {
      if (!hasErrno(error, 'EPERM', 'EOPNOTSUPP', 'EACCES')) throw error;
    }
  }
  return undefined;
}

function makeTrees(folder: string, prefix: OverlayPrefix): void {
  for (const path of ['a/opaque', 'a/move', 'a/remade', 'b/opaque', 'upper', 'work', 'merged']) {
    makeDirectories(`${folder}/${path}`);
  }
  for (const path of ['a/opaque/hidden', 'a/gone', 'a/file']) {
    writeNewFile(`${folder}/${path}`, 'x', { mode: 0o644, durable: false });
  }
  lsetxattr(`${folder}/b/opaque`, `${prefix}opaque`, Buffer.from('y'));
}

function tryMount(folder: string, options: readonly string[]): void {
  const data = [...options, 'lowerdir=b:a', 'upperdir=upper', 'workdir=work'].join(',');
  inDirectory(folder, () => mount({ source: 'overlay', target: 'merged', type: 'overlay', data }));
}

/** Mounts with as many of the `OFF` options as this kernel knows. */
function mountWithout(folder: string, userxattr: boolean): { options: string } | { reason: string } {
  const must = userxattr ? ['userxattr'] : [];
  try {
    tryMount(folder, [...OFF, ...must]);
    return { options: [...OFF, ...must].join(',') };
  } catch (error) {
    if (!hasErrno(error, 'EINVAL')) return { reason: mountRefused(folder, error) };
  }
  const known = OFF.filter((option) => {
    try {
      tryMount(folder, [option, ...must]);
    } catch {
      return false;
    }
    unmount(`${folder}/merged`, MNT_DETACH);
    return true;
  });
  try {
    tryMount(folder, [...known, ...must]);
    return { options: [...known, ...must].join(',') };
  } catch (error) {
    return { reason: mountRefused(folder, error) };
  }
}

function mountRefused(folder: string, error: unknown): string {
  if (hasErrno(error, 'ENODEV')) {
    return "'overlay' not found as a supported filesystem on this host. Please ensure kernel is new enough and has overlay support loaded.";
  }
  if (hasErrno(error, 'EPERM', 'EACCES')) {
    return `overlay2: this process may not mount overlay (${errorMessage(error)}): run as root, outside of containers without CAP_SYS_ADMIN`;
  }
  return `'overlay2' is not supported over ${fsName(statfs(folder).magic)} (${errorMessage(error)}): put the data root on ext4, xfs or btrfs, or choose another storage driver`;
}

/** Whether files and directories of lower layers can be hidden, which is what everything else rests on. */
function tryWhiteouts(folder: string, prefix: OverlayPrefix): string | undefined {
  const merged = `${folder}/merged`;
  if (listDirectory(`${merged}/opaque`).length > 0) {
    return `overlay2: the kernel ignores ${prefix}opaque on ${backing(folder)}`;
  }
  try {
    removeFile(`${merged}/gone`);
    removeDirectory(`${merged}/remade`);
    makeDirectories(`${merged}/remade`);
  } catch (error) {
    return `overlay2: overlayfs cannot delete on ${backing(folder)}: ${errorMessage(error)}`;
  }
  const deleted = isWhiteoutDevice(lstat(`${folder}/upper/gone`));
  const opaque = lgetxattr(`${folder}/upper/remade`, `${prefix}opaque`)?.toString('latin1');
  if (deleted && opaque === 'y') return undefined;
  return `overlay2: overlayfs leaves no whiteouts on ${backing(folder)}`;
}

/** Why an upper directory would not be the layer's difference; empty when it is. Words as Docker's. */
function tryNativeDiff(folder: string, prefix: OverlayPrefix): string {
  const merged = `${folder}/merged`;
  const upper = `${folder}/upper`;
  writeNewFile(`${merged}/opaque/new`, '', { durable: false });
  if (lgetxattr(`${upper}/opaque`, `${prefix}opaque`) !== undefined) {
    return 'opaque flag erroneously copied up, consider update to kernel 4.8 or later to fix';
  }
  chmodAt(AT_FDCWD, `${merged}/file`, 0o600);
  if (lgetxattr(`${upper}/file`, `${prefix}metacopy`) !== undefined) {
    return 'kernel has CONFIG_OVERLAY_FS_METACOPY enabled and no way to switch it off';
  }
  try {
    renameFile(`${merged}/move`, `${merged}/moved`);
  } catch (error) {
    // What a kernel without redirects says to the rename of a directory that comes from below.
    if (hasErrno(error, 'EXDEV')) return '';
    throw error;
  }
  const redirected = pathExists(`${upper}/moved`) && lgetxattr(`${upper}/moved`, `${prefix}redirect`);
  return redirected ? 'kernel has CONFIG_OVERLAY_FS_REDIRECT_DIR enabled' : '';
}
