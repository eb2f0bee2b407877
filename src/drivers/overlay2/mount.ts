/**
 * Mounting a layer's directories. mount(2) takes one page of options, and every mount's options are one line of
 * `/proc/self/mountinfo` that other programs read with buffers of 64 KiB: both want short names.
 *
 * Up to about 135 parents, the names under `l/` do, with the home as working directory, as Docker has them. For
 * more, a folder of symbolic links of one or two characters is made under the run folder, mounted from, and removed at
 * once, because the kernel looks names up only while it mounts. 500 parents take 1.5 KB that way, on every kernel;
 * `lowerdir+` of kernel 6.7 would be slower, and its line ten times as long.
 */

import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LIMITS } from '../../archive/types.ts';
import { hasErrno, TsengineError } from '../../errors.ts';
import { readlinkAt } from '../../linux/at.ts';
import { makeDirectories, makeSymlink, pathExists } from '../../linux/files.ts';
import { MOUNT_DATA_MAX, mount } from '../../linux/mount.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import { inDirectory } from './in-directory.ts';

/** What one overlay mount is made of. Names are relative to `home`. */
export interface OverlayMount {
  readonly home: string;
  /** Absolute. */
  readonly target: string;
  /** Topmost first. */
  readonly lowers: readonly string[];
  /** Absent for a mount that is only read. */
  readonly writable?: { readonly upper: string; readonly work: string };
  /** Options beside the directories. */
  readonly options: string;
  readonly label?: string | undefined;
  /** Without any sync, where the kernel can do that (5.10 and newer). */
  readonly isVolatile?: boolean;
}

/** Mounts it. `farmHome` is a folder for short-lived links, on any filesystem. */
export function mountOverlay(request: OverlayMount, farmHome: string): void {
  if (request.isVolatile === true && request.writable !== undefined) {
    const options = [request.options, 'volatile'].filter(Boolean).join(',');
    try {
      mountOnce({ ...request, options }, farmHome);
      return;
    } catch (error) {
      // What an older kernel says to an option that it does not know.
      if (!hasErrno(error, 'EINVAL')) throw error;
    }
  }
  mountOnce(request, farmHome);
}

/** Where overlayfs notes, below a work directory, which of its features may have left it unusable. */
const INCOMPATIBLE = 'work/incompat';

/**
 * Removes the mark by which overlayfs refuses a work directory that was mounted `volatile` before, because a crash in
 * between may have cost it files. Layers that are mounted so are removed after a crash; after an unmount nothing is
 * amiss. Source: the kernel's `Documentation/filesystems/overlayfs.rst`, "Volatile mount".
 */
export function dropVolatileMark(work: string): void {
  const mark = `${work}/${INCOMPATIBLE}`;
  if (pathExists(mark)) removeTree(mark);
}

function mountOnce(request: OverlayMount, farmHome: string): void {
  const { lowers } = request;
  if (lowers.length > LIMITS.lowerLayers) throw tooManyLowers(lowers.length);
  const data = mountData(request, lowers, request.writable);
  if (Buffer.byteLength(data) <= MOUNT_DATA_MAX) mountFrom(request.home, request.target, data);
  else mountThroughLinks(request, farmHome);
}

/** The refusal of a layer on more parents than overlayfs takes. The first words are Docker's. */
export function tooManyLowers(count: number): TsengineError {
  return new TsengineError(
    'InvalidParameter',
    `max depth exceeded: overlayfs takes ${LIMITS.lowerLayers} layers below one, here are ${count}: squash some`,
  );
}

function mountData(
  request: OverlayMount,
  lowers: readonly string[],
  writable: OverlayMount['writable'],
): string {
  const parts = request.options === '' ? [] : [request.options];
  parts.push(`lowerdir=${lowers.join(':')}`);
  if (writable !== undefined) parts.push(`upperdir=${writable.upper}`, `workdir=${writable.work}`);
  // The label is quoted, as mount(8) does it, because categories have commas in them.
  if (request.label !== undefined && request.label !== '') parts.push(`context="${request.label}"`);
  return parts.join(',');
}

function mountFrom(directory: string, target: string, data: string): void {
  inDirectory(directory, () => mount({ source: 'overlay', target, type: 'overlay', data }));
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The shortest names there are: `0` … `Z`, `00` … `ZZ`. */
function shortName(index: number): string {
  const low = DIGITS.charAt(index % DIGITS.length);
  return index < DIGITS.length ? low : DIGITS.charAt(Math.floor(index / DIGITS.length) - 1) + low;
}

let sequence = 0;

function mountThroughLinks(request: OverlayMount, farmHome: string): void {
  const farm = `${farmHome}/${process.pid}.${sequence++}`;
  makeDirectories(farm, 0o700);
  try {
    let used = 0;
    const link = (name: string): string => {
      const short = shortName(used++);
      makeSymlink(`${request.home}/${name}`, `${farm}/${short}`);
      return short;
    };
    const lowers = request.lowers.map(link);
    const { writable } = request;
    const short = writable && { upper: link(writable.upper), work: link(writable.work) };
    mountFrom(farm, request.target, mountData(request, lowers, short));
  } finally {
    removeTree(farm);
  }
}

/** The first of these names below `home` that leads nowhere, as the folder that is missing; `undefined` when all are there. */
function missingFolder(names: readonly string[], home: string): string | undefined {
  const missing = names.find((name) => statSync(`${home}/${name}`, { throwIfNoEntry: false }) === undefined);
  if (missing === undefined) return undefined;
  const path = `${home}/${missing}`;
  try {
    return resolve(dirname(path), readlinkAt(AT_FDCWD, path).toString());
  } catch {
    return path;
  }
}

/** The error for a mount that failed: one line that says why, where the kernel's errno does not. */
export function mountFailure(error: unknown, id: string, lowers: readonly string[], home: string): unknown {
  const folders = [...lowers, `${id}/diff`, `${id}/work`];
  const missing = hasErrno(error, 'ENOENT') ? missingFolder(folders, home) : undefined;
  if (missing !== undefined) {
    return new TsengineError(
      'Corrupt',
      `overlay2: cannot mount layer ${id}: ${missing} is missing: put it back from a backup, or remove what needs it (rm, rmi) and make that anew`,
      { cause: error },
    );
  }
  if (!hasErrno(error, 'EINVAL', 'ESTALE', 'ENOMEM', 'EPERM', 'EACCES', 'ENODEV')) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new TsengineError(
    'System',
    `overlay2: cannot mount layer ${id} with ${lowers.length} parents: ${reason}; the kernel's log (dmesg) says more`,
    { cause: error },
  );
}
