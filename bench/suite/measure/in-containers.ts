/** Files as containers see them, found from outside whatever the engine and the driver. */
import { readlinkSync } from 'node:fs';
import { hasErrno } from '../../../src/errors.ts';
import { findMountOf, readMountInfo } from '../../../src/linux/mountinfo.ts';
import { processIds } from '../../../src/linux/processes.ts';
import { AT_FDCWD, lstatIfAny } from '../../../src/linux/stat.ts';

/** A file of one container. */
export interface SeenFile {
  /** By which it is found from here. */
  readonly path: string;
  readonly inode: bigint;
  /** The source of the mount that it is on: a device, or a dataset. */
  readonly mount: string;
}

/** The files at a path in all containers whose processes are in this pid namespace: one for each mount namespace that has it. */
export function seenInContainers(inside: string): SeenFile[] {
  const own = readlinkSync('/proc/self/ns/mnt');
  const found = new Map<string, SeenFile>();
  for (const pid of processIds()) {
    const seen = seenBy(pid, inside);
    if (seen !== undefined && seen.namespace !== own) found.set(seen.namespace, seen);
  }
  return [...found.values()];
}

function seenBy(pid: number, inside: string): (SeenFile & { readonly namespace: string }) | undefined {
  const path = `/proc/${pid}/root${inside}`;
  try {
    const namespace = readlinkSync(`/proc/${pid}/ns/mnt`);
    const stat = lstatIfAny(AT_FDCWD, path);
    const mount = findMountOf(inside, readMountInfo(`/proc/${pid}/mountinfo`));
    if (stat === undefined || mount === undefined) return undefined;
    return { path, inode: stat.ino, mount: mount.source.toString(), namespace };
  } catch (error) {
    // It has ended meanwhile, or is a thread of the kernel.
    if (hasErrno(error, 'ENOENT', 'ESRCH', 'EINVAL', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}
