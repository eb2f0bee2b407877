/**
 * Unions by a FUSE program that keeps AUFS's format on disk, for kernels without AUFS: fuse-overlayfs, or one that takes its
 * arguments. It mounts, then goes on as a daemon of its own that ends when the union is unmounted and nobody has a file of
 * it open.
 *
 * What fuse-overlayfs (1.10) does otherwise than AUFS, and what is done about it:
 *
 * - It notes where files came from (`user.fuseoverlayfs.origin`) and opaque directories (`trusted.overlay.opaque`) in extended
 *   attributes, beside AUFS's own marks: removed after the unmount (settle.ts), and never part of a layer's tar.
 * - It calls all directories opaque that are made in it: those that hide nothing are not exported as such.
 * - When one of several names of a file is written, only one of them is in the branch afterwards, perhaps another one: the
 *   others are made after the unmount, as AUFS's auplink does; until then a layer is compared with its parent. When that one name
 *   is deleted before, what was written is gone with it.
 * - Copying a file up fills its holes (unless the filesystem shares blocks), and loses the set-ID bits of files that are not
 *   root's and the times of symbolic links: capabilities say so.
 * - Each name is looked for with `.wh.` before it: names are 251 bytes at most.
 */
import { constants, openSync } from 'node:fs';
import { LIMITS } from '../../archive/types.ts';
import { WHITEOUT_PREFIX } from '../../archive/whiteouts.ts';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { O_DIRECTORY, O_RDONLY } from '../../linux/at.ts';
import {
  closeFile,
  makeDirectories,
  makeDirectory,
  openFile,
  pathExists,
  readInto,
} from '../../linux/files.ts';
import { tryFlock } from '../../linux/flock.ts';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { killIfAny } from '../../linux/processes.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { makePipe, spawnDetached, waitHere } from '../../linux/spawn.ts';
import { hasAccessLists } from '../../linux/xattr.ts';
import type { CopyUpLoss } from '../driver.ts';
import { isMountPoint } from '../mount-counter.ts';
import { WORK_FOLDER } from './layout.ts';
import { parted, settleBranch } from './settle.ts';
import { sharesBlocks } from './shares-blocks.ts';
import type { BackendContext, UnionBackend, UnionRequest } from './union.ts';

const NAME_MAX = LIMITS.nameComponent;

/** Makes fuse-overlayfs write `.wh.` files where it may make devices as well. Source: its manual. */
const AUFS_FORMAT = { FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT: '1' };

/**
 * The arguments of one mount. Branches are relative to the folder of all branches, which the program is started in. Where those
 * have no access control lists the union must have none either: before Linux 6.2 FUSE opens no file for anybody but its owner
 * whose list cannot be read (`fuse_get_acl`), not even for root.
 */
export function programArguments(
  { target, id, parents, ...request }: UnionRequest,
  accessLists: boolean,
): string[] {
  const branches = request.isReadOnly === true ? [id, ...parents] : parents;
  const options = ['dev', 'suid', `lowerdir=${branches.join(':')}`];
  if (request.isReadOnly !== true) options.push(`upperdir=${id}`, `workdir=../${WORK_FOLDER}/${id}`);
  if (request.isVolatile === true) options.push('volatile');
  if (!accessLists) options.push('noacl');
  // Commas part options, and SELinux's categories have some.
  if (request.label !== undefined && request.label !== '')
    options.push(`context=${request.label.replaceAll(',', '\\,')}`);
  return ['-o', options.join(','), target];
}

/** Whether fuse-overlayfs would misread the path of a branch: it parts the absolute path of the topmost one again. */
export function isOddForProgram(path: string): boolean {
  return path.includes(':');
}

/** A program as a backend. `program` is an absolute path. */
export function programBackend({ layout }: BackendContext, program: string): UnionBackend {
  const name = program.slice(program.lastIndexOf('/') + 1);
  const lowersOf = (parents: readonly string[]): string[] => parents.map((id) => layout.diff(id));
  return {
    title: `${name} (FUSE) in AUFS's format: this kernel has no AUFS`,
    isStandIn: true,
    maxParents: LIMITS.lowerLayers,
    longestName: NAME_MAX - WHITEOUT_PREFIX.length,
    copyUpLoses: () => {
      const losses: CopyUpLoss[] = [
        'set-id',
        'link-time',
        'link-attributes',
        'linked-change',
        'remade-rename',
        'remade-lookup',
        'replaced-removal',
      ];
      return sharesBlocks(layout.home) ? losses : ['holes', ...losses];
    },
    mount: (request) => (request.isReadOnly === true ? mountView(request) : mountWritable(request)),
    isUnsettled: (id) => pathExists(layout.work(id)),
    showsMore: (id, parents) => parted(layout.diff(id), lowersOf(parents)),
    beforeUnmount: () => {},
    settle,
  };

  function mountView(request: UnionRequest): void {
    start(program, `${layout.home}/diff`, request, []);
  }

  function mountWritable(request: UnionRequest): void {
    const work = layout.work(request.id);
    awaitStart(work);
    // Whoever started it was killed: nobody else has it.
    if (isMountPoint(request.target)) return;
    settle(request.id, request.parents);
    makeDirectories(`${layout.home}/${WORK_FOLDER}`, 0o700);
    makeDirectory(work, 0o700);
    let lock: number | undefined;
    try {
      lock = openFile(work, O_RDONLY | O_DIRECTORY);
      tryFlock(lock, 'exclusive');
      start(program, `${layout.home}/diff`, request, [[0, lock]]);
    } catch (error) {
      removeTree(work);
      throw error;
    } finally {
      if (lock !== undefined) closeFile(lock);
    }
  }

  function settle(id: string, parents: readonly string[]): void {
    const work = layout.work(id);
    if (!pathExists(work)) return;
    awaitStart(work);
    if (isMountPoint(layout.mountPoint(id))) unmount(layout.mountPoint(id), MNT_DETACH);
    settleBranch(layout.diff(id), lowersOf(parents), layout.work(id));
    removeTree(work);
  }
}

/** How long a program may take to mount and to go on as a daemon. Milliseconds. */
const START_TIME = 10_000;

/**
 * Waits for a program that is starting, whose starter may be dead. It has the work directory as its standard input, and a
 * lock with it, until it has mounted and goes on as a daemon.
 */
function awaitStart(work: string): void {
  if (!pathExists(work)) return;
  const fd = openFile(work, O_RDONLY | O_DIRECTORY);
  try {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let waited = 0; !tryFlock(fd, 'exclusive') && waited < START_TIME; waited += 5) {
      Atomics.wait(pause, 0, 0, 5);
    }
  } finally {
    closeFile(fd);
  }
}

/** Starts the program and waits until it has mounted, which takes some 20 ms. */
function start(
  program: string,
  cwd: string,
  request: UnionRequest,
  given: readonly [number, number][],
): void {
  const { status, said } = run(program, programArguments(request, hasAccessLists(cwd)), cwd, given);
  const mounted = isMountPoint(request.target);
  if (status === 0 && mounted) return;
  if (mounted) unmount(request.target, MNT_DETACH);
  const why = said === '' ? `it ended with status ${status}` : said;
  throw new TsengineError(
    'System',
    `aufs: ${program} cannot mount layer ${request.id} with ${request.parents.length} parents: ${why}`,
  );
}

function run(
  program: string,
  args: readonly string[],
  cwd: string,
  given: readonly [number, number][],
): { status: number; said: string } {
  const pipe = makePipe();
  try {
    let pid: number;
    try {
      const env = { PATH: process.env.PATH ?? '', ...AUFS_FORMAT };
      pid = spawnDetached({ program, args, env, cwd, descriptors: new Map([...given, [2, pipe.write]]) });
    } finally {
      closeFile(pipe.write);
    }
    const status = waitHere(pid, START_TIME);
    if (status !== undefined) return { status, said: lastLine(pipe.read) };
    // With what it started itself: it leads a session of its own.
    killIfAny(-pid);
    waitHere(pid, START_TIME);
    return { status: 1, said: `it has not mounted after ${START_TIME / 1000} s, or stays in the foreground` };
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EACCES', 'ENOEXEC')) throw error;
    throw new TsengineError('Unavailable', `aufs: cannot run ${program}: ${errorMessage(error)}`, {
      cause: error,
    });
  } finally {
    closeFile(pipe.read);
  }
}

/** What the program said last. It may hold the pipe open: what it said while it was waited for is there already. */
function lastLine(fd: number): string {
  const copy = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const text = Buffer.alloc(65_536);
    const lines = text
      .toString('utf8', 0, readInto(copy, text, 0, text.length, null))
      .trim()
      .split('\n');
    return (lines.at(-1) ?? '').trim();
  } catch (error) {
    if (hasErrno(error, 'EAGAIN')) return '';
    throw error;
  } finally {
    closeFile(copy);
  }
}
