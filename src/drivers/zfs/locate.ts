/** Where a data root's datasets are, found without starting a program. */
import { realpathSync } from 'node:fs';
import { hasErrno } from '../../errors.ts';
import { findCommand } from '../../linux/command.ts';
import { pathExists, readTextIfAny } from '../../linux/files.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { lstat } from '../../linux/stat.ts';
import { fsName, statfs } from '../../linux/statfs.ts';
import { hasZfsCore, zfsExists } from '../../linux/zfs-core.ts';
import { existingFolder } from '../read-only.ts';
import type { ZfsOptions } from './options.ts';

const DEVICE = '/dev/zfs';
const NO_TOOLS = 'install zfsutils-linux (or what has these programs in your distribution)';

/** The dataset below which the layers are, or why there is none, in one line with the way out. */
export type Located =
  | { readonly dataset: string; readonly reason?: never }
  | { readonly dataset?: never; readonly reason: string };

/** Finds it: the one that was named, else the one on which the folder `home` is or will be, as Docker does. */
export function locate(home: string, { fsName: named }: ZfsOptions): Located {
  const folder = existingFolder(home);
  const dataset = named ?? datasetOf(folder);
  if (dataset === undefined) {
    const found = fsName(statfs(folder).magic);
    const reason = `zfs keeps layers as datasets, and ${folder} is on ${found}: put the data root on ZFS, or name a dataset with --storage-opt zfs.fsname=POOL/NAME`;
    return { reason };
  }
  const reason = missing() ?? trouble(dataset);
  return reason === undefined ? { dataset } : { reason };
}

/** The dataset that is mounted at or above the folder, by its device: a bind mount of it is as good. */
function datasetOf(folder: string): string | undefined {
  const { devMajor, devMinor } = lstat(realpathSync.native(folder));
  return readMountInfo()
    .find(({ type, major, minor }) => type === 'zfs' && major === devMajor && minor === devMinor)
    ?.source.toString();
}

/** What of OpenZFS is not on this machine; `undefined` where all of it is. */
export function missing(): string | undefined {
  if (!pathExists(DEVICE)) {
    return `zfs needs the kernel module of OpenZFS, and ${DEVICE} is not there: modprobe zfs (Debian and Ubuntu: install zfs-dkms or linux-modules-extra first)`;
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
  if (poolState(pool) === 'SUSPENDED') {
    return `zfs: the pool ${pool} is suspended, because its disks do not answer: bring them back, then zpool clear ${pool}`;
  }
  if (zfsExists(dataset)) return undefined;
  return `zfs: there is no dataset ${dataset}: zpool import ${pool}, zfs create ${dataset}, or name one that zfs list shows with --storage-opt zfs.fsname`;
}

/** As the module tells it (`ONLINE`, `DEGRADED`, `SUSPENDED`…); `undefined` for one that is not imported. */
function poolState(pool: string): string | undefined {
  try {
    return readTextIfAny(`/proc/spl/kstat/zfs/${pool}/state`)?.trim();
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}
