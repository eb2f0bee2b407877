/**
 * Unions by the kernel's AUFS. Written from its manual (aufs(5), `aufs.tmac`: branch syntax, `dio`, `xino`, `dirperm1`, `append:`)
 * and Docker 20.10's way of calling it; no kernel in reach has it, so the calls are tested by recording them.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { LIMITS } from '../../archive/types.ts';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { findCommand } from '../../linux/command.ts';
import { makeDirectories, readTextIfAny } from '../../linux/files.ts';
import {
  MNT_DETACH,
  MOUNT_DATA_MAX,
  type MountRequest,
  MS_RDONLY,
  MS_REMOUNT,
  mount,
  unmount,
} from '../../linux/mount.ts';
import { inUserNamespace } from '../../linux/namespaces.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import type { BackendContext, UnionBackend, UnionRequest } from './union.ts';

/** Where AUFS keeps its inode number translation tables: on tmpfs, because the branches' filesystem need not take them. Docker's path. */
const XINO = '/dev/shm/aufs.xino';
/** CONFIG_AUFS_BRANCH_MAX_127, the default; `/sys/fs/aufs/config` tells of others. */
const BRANCHES = 127;
/** What AUFS needs of 255 bytes for names of its own: statfs(2) says 242. */
const AUFS_RESERVED = 13;

/** Whether this kernel has AUFS and lets us mount it. A module that is not loaded yet does not count. */
export function hasKernelAufs(): boolean {
  return (
    /^\s*(nodev\s+)?aufs$/m.test(readFileSync('/proc/filesystems', 'latin1').replaceAll('\t', ' ')) &&
    !inUserNamespace()
  );
}

/** Whether AUFS would misread the path of a branch. */
export function isOddForAufs(path: string): boolean {
  return /[,:=\\]/.test(path);
}

/** Branches of one union, absolute. */
export interface Branches {
  readonly target: string;
  /** Topmost first. */
  readonly branches: readonly string[];
  /** Whether the topmost is written. */
  readonly isWritable: boolean;
  readonly hasDirperm1: boolean;
  readonly label?: string | undefined;
}

/**
 * The calls of mount(2) that make a union. mount(2) takes one page of options: the first call has as many branches as fit,
 * the others append the rest at the bottom, as many each as fit. Fails with `InvalidParameter` on a path that AUFS would
 * misread or that does not fit at all.
 */
export function mountCalls({ target, branches, isWritable, hasDirperm1, label }: Branches): MountRequest[] {
  const odd = branches.find(isOddForAufs);
  if (odd !== undefined) throw oddPath(odd);
  const options = ['', 'dio', `xino=${XINO}`, ...(hasDirperm1 ? ['dirperm1'] : [])].join(',');
  // The label is quoted, as mount(8) does it, because categories have commas in them.
  const context = label === undefined || label === '' ? '' : `,context="${label}"`;
  const written = branches.map((branch, index) => `${branch}=${index === 0 && isWritable ? 'rw' : 'ro+wh'}`);
  const first = fill(written, 'br:', ':', options + context);
  const flags = isWritable ? 0 : MS_RDONLY;
  const calls: MountRequest[] = [{ source: 'none', target, type: 'aufs', flags, data: first.data }];
  let rest = written.slice(first.count);
  while (rest.length > 0) {
    const { data, count } = fill(
      rest.map((branch) => `append:${branch}`),
      '',
      ',',
      context,
    );
    calls.push({ source: 'none', target, type: 'aufs', flags: flags | MS_REMOUNT, data });
    rest = rest.slice(count);
  }
  return calls;
}

/** As many words as a page of options holds, at least one. */
function fill(
  words: readonly string[],
  before: string,
  between: string,
  after: string,
): { data: string; count: number } {
  const room = MOUNT_DATA_MAX - Buffer.byteLength(before + after);
  let length = -between.length;
  let count = 0;
  for (const word of words) {
    length += between.length + Buffer.byteLength(word);
    if (length > room) break;
    count++;
  }
  if (count === 0) throw oddPath(words[0] ?? '');
  return { data: before + words.slice(0, count).join(between) + after, count };
}

function oddPath(path: string): TsengineError {
  const message = `aufs: the path ${path} cannot be a branch: it is too long, or has one of , : = \\ in it: choose another data root`;
  return new TsengineError('InvalidParameter', message);
}

/** Whether this AUFS knows `dirperm1` (3.18.25 and newer): tried with a mount in `folder`, which is made and removed. */
export function tryDirperm1(folder: string): boolean {
  const [branch, target] = [`${folder}/branch`, `${folder}/union`];
  try {
    for (const path of [branch, target]) makeDirectories(path, 0o700);
    const data = `br:${branch},dirperm1,xino=${XINO}`;
    mount({ source: 'none', target, type: 'aufs', data });
    unmount(target, MNT_DETACH);
    return true;
  } catch {
    return false;
  } finally {
    removeTree(folder);
  }
}

/** The most branches that this AUFS was built for. Its own text form of the kernel's configuration. */
export function maxBranches(config = readTextIfAny('/sys/fs/aufs/config')): number {
  const [, number] = /CONFIG_AUFS_BRANCH_MAX_(\d+)=y/.exec(config ?? '') ?? [];
  return number === undefined ? BRANCHES : Number(number);
}

/** The kernel's AUFS as a backend. `run` is mount(2), or what records its calls. */
export function kernelBackend(
  { layout, warn }: BackendContext,
  runHome: string,
  run: (request: MountRequest) => void = mount,
): UnionBackend {
  let dirperm1: boolean | undefined;
  const mountUnion = (request: UnionRequest): void => {
    dirperm1 ??= tryDirperm1(`${runHome}/dirperm1-${process.pid}`);
    const { target, label, isReadOnly } = request;
    const branches = [request.id, ...request.parents].map((id) => layout.diff(id));
    const calls = mountCalls({
      target,
      branches,
      isWritable: isReadOnly !== true,
      hasDirperm1: dirperm1,
      label,
    });
    let made = 0;
    try {
      for (const call of calls) {
        run(call);
        made++;
      }
    } catch (error) {
      if (made > 0) unmount(target, MNT_DETACH);
      throw failure(error, request);
    }
  };
  return {
    title: 'AUFS of the kernel',
    isStandIn: false,
    maxParents: maxBranches() - 1,
    longestName: LIMITS.nameComponent - AUFS_RESERVED,
    copyUpLoses: () => [],
    mount: mountUnion,
    isUnsettled: () => false,
    showsMore: () => false,
    beforeUnmount: (target) => flushLinks(target, warn),
    settle: () => {},
  };
}

function failure(error: unknown, { id, parents }: UnionRequest): TsengineError {
  const message = `aufs: cannot mount layer ${id} with ${parents.length} parents: ${errorMessage(error)}; the kernel's log (dmesg) says more`;
  return new TsengineError('System', message, { cause: error });
}

/**
 * Makes hard links of the names that AUFS only remembers to be of one file (`auplink MOUNT flush`, of aufs-tools): they would
 * part at the unmount.
 */
function flushLinks(target: string, warn: (message: string) => void): void {
  const { error, status, stderr } = spawnSync(findCommand('auplink') ?? 'auplink', [target, 'flush'], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (error !== undefined && hasErrno(error, 'ENOENT')) {
    warn(
      'aufs: without auplink (package aufs-tools) hard links of an image part when one of their names is written',
    );
  } else if (status !== 0) warn(`aufs: auplink ${target} flush: ${stderr.trim() || errorMessage(error)}`);
}
