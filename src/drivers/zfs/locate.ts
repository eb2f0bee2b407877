/** Where a data root's datasets are, and what serves them; with the kernel's module, without starting a program. */
import { realpathSync } from 'node:fs';
import { hasErrno, TsengineError } from '../../errors.ts';
import { findCommand } from '../../linux/command.ts';
import { deadMountOf } from '../../linux/dead-mount.ts';
import { pathExists } from '../../linux/files.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { lstat } from '../../linux/stat.ts';
import { fsName, statfs } from '../../linux/statfs.ts';
import { isSuspended, suspendedText } from '../../linux/suspended-pool.ts';
import { hasZfsCore, zfsExists } from '../../linux/zfs-core.ts';
import { existingFolder } from '../read-only.ts';
import { noDataset } from './datasets.ts';
import { daemonDied, hasZfsFuse, mustTakeAttributes } from './fuse-daemon.ts';
import { fuseZfs, isFuse } from './fuse-datasets.ts';
import type { ZfsOptions } from './options.ts';

/** Is there where the kernel has the module. */
export const DEVICE = '/dev/zfs';
const NO_TOOLS = 'install zfsutils-linux (or what has these programs in your distribution)';

/** The dataset below which the layers are and what serves it, or why there is none, in one line with the way out. */
export type Located =
  | { readonly dataset: string; readonly by: 'module' | 'zfs-fuse'; readonly reason?: never }
  | { readonly dataset?: never; readonly reason: string };

/** Finds it: the one that was named, else the one on which the folder `home` is or will be, as Docker does. */
export async function locate(home: string, { fsName: named }: ZfsOptions): Promise<Located> {
  const dead = deadMountOf(home);
  if (dead !== undefined) return { reason: daemonDied(dead).message };
  const folder = existingFolder(home);
  const found = datasetOf(folder);
  const dataset = named ?? found?.dataset;
  if (dataset === undefined) {
    const below = fsName(statfs(folder).magic);
    const reason = `zfs keeps layers as datasets, and ${folder} is on ${below}: put the data root on ZFS, or name a dataset with --storage-opt zfs.fsname=POOL/NAME`;
    return { reason };
  }
  if (!pathExists(DEVICE) && hasZfsFuse())
    return await locateByFuse(dataset, found?.byFuse === true ? folder : undefined);
  const reason = missing() ?? trouble(dataset);
  return reason === undefined ? { dataset, by: 'module' } : { reason };
}

/** The same where zfs-fuse serves, if anything does; `folder` is one of its mounts. */
async function locateByFuse(dataset: string, folder: string | undefined): Promise<Located> {
  try {
    if (folder !== undefined) mustTakeAttributes(folder);
    await fuseZfs(['list', '-H', '-o', 'name', dataset]);
    return { dataset, by: 'zfs-fuse' };
  } catch (error) {
    if (error instanceof TsengineError) return { reason: error.message };
    if (hasErrno(error, 'ENOENT')) return { reason: noDataset(dataset) };
    throw error;
  }
}

/** The dataset that is mounted at or above the folder, by its device: a bind mount of it is as good. */
function datasetOf(folder: string): { readonly dataset: string; readonly byFuse: boolean } | undefined {
  const { devMajor, devMinor } = lstat(realpathSync.native(folder));
  const mount = readMountInfo().find(
    ({ type, major, minor }) => (type === 'zfs' || isFuse(type)) && major === devMajor && minor === devMinor,
  );
  return mount && { dataset: mount.source.toString(), byFuse: isFuse(mount.type) };
}

/** What of OpenZFS is not on this machine; `undefined` where all of it is. */
export function missing(): string | undefined {
  if (!pathExists(DEVICE)) {
    return `zfs needs the kernel module of OpenZFS, and ${DEVICE} is not there: modprobe zfs (Debian and Ubuntu: install zfs-dkms or linux-modules-extra first), or install zfs-fuse, which stands in for it`;
  }
  const programs = ['zfs', 'zpool'].filter((name) => findCommand(name) === undefined);
  if (programs.length > 0) return `zfs needs the program ${programs.join(' and ')}: ${NO_TOOLS}`;
  if (!hasZfsCore())
    return `zfs needs libzfs_core.so.3 and the right to open ${DEVICE}: ${NO_TOOLS}, and run as root`;
  return undefined;
}

/** What is amiss with a pool. One that is suspended would never answer. */
function trouble(dataset: string): string | undefined {
  const [pool = ''] = dataset.split('/');
  if (isSuspended(pool)) return `zfs: ${suspendedText(pool)}`;
  return zfsExists(dataset) ? undefined : noDataset(dataset);
}
