/**
 * The filesystems under a data root, each made anew in a file of its own.
 *
 * Only called in a mount namespace and a pid namespace that the process has to itself (`isolated.ts`): however it ends,
 * the kernel then unmounts what was mounted, and detaches the loop devices (mount(8) sets them to go by themselves).
 */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { errorMessage, firstError, hasErrno, LackingHereError, TsengineError } from '../../errors.ts';
import { readText } from '../../linux/files.ts';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { mountFuse } from './backing-fuse.ts';
import { exportNfs } from './backing-nfs.ts';
import { mountZfs } from './backing-zfs.ts';
import type { Backing } from './schema.ts';
import { runFileTool, runTool } from './tool.ts';

/** A filesystem, mounted on an empty directory of mode 755. */
export interface MountedBacking extends Disposable {
  readonly path: string;
  /** A folder on a filesystem that keeps all that a file can have, for trees to compare with; not there yet. */
  readonly scratch: string;
}

/** How one is made. */
export interface BackingOptions {
  /** An empty folder that is the caller's own, for mount points. Drivers, overlayfs and NFS take its path apart: no blanks, colons or commas. */
  readonly work: string;
  /** A folder for images, under the path that it has for everybody; `work` when not given. */
  readonly images?: string;
  /** Made and mounted with quotas of projects, where the filesystem has them. */
  readonly projectQuota?: boolean;
}

/** Bytes of an image: sparse, so that only what is written is taken. What xfs wants at the least is 300 MiB. */
const IMAGE_SIZE = 2 * 1024 ** 3;

/** One that is made by mkfs in an image. */
interface Formatted {
  readonly type: string;
  readonly package: string;
  readonly mkfs: readonly string[];
  readonly quota?: { readonly mkfs: readonly string[]; readonly mount: string };
}

const FORMATTED: Readonly<Partial<Record<Backing, Formatted>>> = {
  ext4: {
    type: 'ext4',
    package: 'e2fsprogs',
    mkfs: ['-q', '-F'],
    quota: { mkfs: ['-O', 'quota,project', '-E', 'quotatype=prjquota'], mount: 'prjquota' },
  },
  xfs: { type: 'xfs', package: 'xfsprogs', mkfs: ['-q', '-f'], quota: { mkfs: [], mount: 'prjquota' } },
  // Directories that do not say of what type their entries are exist in the old format only.
  'xfs-noftype': {
    type: 'xfs',
    package: 'xfsprogs',
    mkfs: ['-q', '-f', '-m', 'crc=0', '-n', 'ftype=0'],
    quota: { mkfs: [], mount: 'prjquota' },
  },
  btrfs: { type: 'btrfs', package: 'btrfs-progs', mkfs: ['-q', '-f'] },
};

/**
 * Makes a filesystem and mounts it. Fails with `Unavailable`, in one line, where this kernel has not what it takes; with a
 * `LackingHereError` where it is this machine that has no program or no room for it. Disposing of it unmounts all that is on it.
 */
export async function makeBacking(backing: Backing, options: BackingOptions): Promise<MountedBacking> {
  const { work } = options;
  const path = `${work}/mounted`;
  mkdirSync(path, { recursive: true });
  // In the order in which they are done.
  const closing: (() => void)[] = [() => unmountBelow(path)];
  const close = (): void => {
    for (const step of closing.splice(0)) step();
  };
  try {
    await mountOn(path, backing, options, closing);
  } catch (error) {
    close();
    throw cannotMake(options.projectQuota === true ? `${backing} with project quotas` : backing, error);
  }
  return { path, scratch: scratchOf(backing, work), [Symbol.dispose]: close };
}

function cannotMake(what: string, error: unknown): TsengineError {
  const why = errorMessage(error);
  if (firstError(error) instanceof LackingHereError || hasErrno(error, 'ENOSPC', 'EDQUOT'))
    return new LackingHereError(`${what} was not tried: ${why}`, error);
  return new TsengineError('Unavailable', `${what} cannot be had here: ${why}`, { cause: error });
}

/** What is handed on from another filesystem may have lost something on the way. */
function scratchOf(backing: Backing, work: string): string {
  return backing === 'nfs' || backing === 'fuse' ? `${work}/beneath/.scratch` : `${work}/mounted/.scratch`;
}

/** Whether `projectQuota` makes a difference. */
export function hasProjectQuota(backing: Backing): boolean {
  return FORMATTED[backing]?.quota !== undefined;
}

async function mountOn(
  path: string,
  backing: Backing,
  options: BackingOptions,
  closing: (() => void)[],
): Promise<void> {
  const formatted = FORMATTED[backing];
  if (formatted !== undefined) return mountFormatted(path, formatted, options);
  switch (backing) {
    case 'tmpfs':
      runTool('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', path], 'mount');
      return;
    case 'zfs':
      closing.push(mountZfs(path, options.images ?? options.work));
      return;
    case 'squashfs':
      return mountSquashfs(path, options);
    case 'nfs':
    case 'fuse': {
      // Both hand on what lies on another filesystem.
      const beneath = `${options.work}/beneath`;
      mkdirSync(beneath);
      closing.push(() => unmountBelow(beneath));
      mountFormatted(beneath, FORMATTED.ext4, { ...options, projectQuota: false });
      const stop = backing === 'nfs' ? exportNfs(beneath, path) : await mountFuse(beneath, path);
      closing.splice(1, 0, stop);
      return;
    }
    default:
      throw new TsengineError('NotImplemented', `nobody said how to make ${backing}`);
  }
}

function mountFormatted(path: string, formatted: Formatted | undefined, options: BackingOptions): void {
  if (formatted === undefined) return;
  const { type, quota } = formatted;
  const withQuota = options.projectQuota === true ? quota : undefined;
  // One with quotas is made beside one without.
  const image = `${options.images ?? options.work}/image-${type}${withQuota === undefined ? '' : '-quota'}`;
  writeFileSync(image, '');
  truncateSync(image, IMAGE_SIZE);
  runFileTool(`mkfs.${type}`, [...formatted.mkfs, ...(withQuota?.mkfs ?? []), image], formatted.package);
  mountImage(type, image, path, withQuota?.mount);
  // ext4 brings a folder for lost files, which is none of ours.
  rmSync(`${path}/lost+found`, { recursive: true, force: true });
}

function mountSquashfs(path: string, { work, images = work }: BackingOptions): void {
  const [source, image] = [`${work}/empty`, `${images}/image-squashfs`];
  mkdirSync(source, 0o755);
  runFileTool('mksquashfs', [source, image, '-quiet', '-no-progress'], 'squashfs-tools');
  mountImage('squashfs', image, path, undefined);
}

/** What mount(8) has to say of EINVAL. */
const UNTOLD = /wrong fs type, bad option, bad superblock on .*$/;

function mountImage(type: string, image: string, path: string, options: string | undefined): void {
  const words = ['loop', ...(options === undefined ? [] : [options])].join(',');
  try {
    runTool('mount', ['-t', type, '-o', words, image, path], 'mount');
  } catch (error) {
    if (error instanceof LackingHereError) throw error;
    if (!kernelKnows(type))
      throw new TsengineError('Unavailable', `this kernel has no ${type}`, { cause: error });
    const said = errorMessage(error)
      .replaceAll(`${path}: `, '')
      .replaceAll(image, 'the image')
      .replace(UNTOLD, 'invalid argument');
    throw new TsengineError('Unavailable', `this kernel does not mount it: ${said}`, { cause: error });
  }
}

/** Whether the kernel has the filesystem. Asked after a mount, which loads the module where there is one. */
export function kernelKnows(type: string): boolean {
  return readText('/proc/filesystems')
    .split('\n')
    .some((line) => line.trim().split(/\s+/).at(-1) === type);
}

/** What is mounted at a path and below it, the innermost last. */
export function mountsBelow(path: string): string[] {
  return readMountInfo()
    .map(({ mountPoint }) => mountPoint.toString())
    .filter((point) => point === path || point.startsWith(`${path}/`));
}

/** Unmounts everything at and below a path, from the innermost. */
export function unmountBelow(path: string): void {
  for (const point of mountsBelow(path).reverse()) unmount(point, MNT_DETACH);
}
