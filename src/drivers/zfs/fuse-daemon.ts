/**
 * The daemon of zfs-fuse, which serves pools where the kernel has no module of OpenZFS: whether it runs, and starting and ending
 * one for a store that `driver setup` made. A machine has one: its socket and its lock have fixed names. Source: zfs-fuse(8),
 * and strace(1) of version 0.7.0.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno, TsengineError } from '../../errors.ts';
import { findCommand, runCommand, shellWord } from '../../linux/command.ts';
import { makeDirectories, pathExists, readTextIfAny, removeFile } from '../../linux/files.ts';
import { lockFile } from '../../linux/flock.ts';
import { spawnDetached, waitHere } from '../../linux/spawn.ts';
import { removexattr } from '../../linux/xattr.ts';

const PROGRAM = 'zfs-fuse';
const FOLDER = '/run/zfs';
/** The pid of a daemon that we started. A daemon does not start while it is there. */
const PID_FILE = `${FOLDER}/tsengine.pid`;
const LOCK_FILE = `${FOLDER}/tsengine.lock`;
/** What it imports when it starts, whatever it is started for. */
const CACHE = '/var/lib/zfs/zpool.cache';
/** How long, in milliseconds, a daemon may take to answer, or to end. */
const PATIENCE = 20_000;
const PAUSE = 50;

/** What zfs-fuse is called in `info` and `driver ls`. */
export const FUSE_TITLE =
  'zfs-fuse (FUSE), because this kernel has no module of OpenZFS: times in whole seconds';

/** How its commands say that it does not run. */
export const NOT_RUNNING = /make sure that the zfs-fuse daemon is running/;

/** Whether zfs-fuse is installed. */
export function hasZfsFuse(): boolean {
  return findCommand(PROGRAM) !== undefined;
}

/** What to do about a daemon that does not run. */
export const START_IT = 'start it (service zfs-fuse start, with "enable-xattr" in /etc/zfs/zfsrc)';

/** The error for a mount whose daemon died, with the way out. */
export function daemonDied(path: string): TsengineError {
  return new TsengineError(
    'Unavailable',
    `zfs: the zfs-fuse daemon that served ${path} died: umount -l ${shellWord(path)}, ${START_IT}, and zpool import the pool again`,
  );
}

/** Whether a daemon answers. */
export async function isRunning(): Promise<boolean> {
  const { code, stderr } = await runCommand('zpool', ['list', '-H', '-o', 'name']);
  return code === 0 || !NOT_RUNNING.test(stderr);
}

/**
 * Fails with `Unavailable` where what is mounted at a folder takes no extended attributes: file capabilities would get lost, and
 * programs that need them fail later.
 */
export function mustTakeAttributes(path: string): void {
  try {
    removexattr(path, 'user.tsengine.none');
  } catch (error) {
    if (!hasErrno(error, 'EOPNOTSUPP', 'ENOSYS')) return;
    throw new TsengineError(
      'Unavailable',
      `zfs: zfs-fuse was started without extended attributes, and layers would lose file capabilities: put "enable-xattr" into /etc/zfs/zfsrc and start it again`,
      { cause: error },
    );
  }
}

/**
 * Starts a daemon where none answers. It goes on after us, with nothing of ours open. Fails with `Unavailable` where it would
 * bring pools of other people's with it.
 */
export async function ensureDaemon(): Promise<void> {
  if (await isRunning()) return;
  const program = findCommand(PROGRAM);
  if (program === undefined) throw new TsengineError('Unavailable', 'zfs: install zfs-fuse');
  if (pathExists(CACHE)) {
    throw new TsengineError(
      'Unavailable',
      `zfs: zfs-fuse does not run, and ${CACHE} has pools that it would import: ${START_IT}`,
    );
  }
  makeDirectories(FOLDER, 0o700);
  removeFile(PID_FILE);
  const pid = spawnDetached({
    // A child of process 1 takes itself for a daemon already, and would not come back.
    program: '/bin/sh',
    args: ['-c', '"$0" "$@"; exit $?', program, '--enable-xattr', '--no-kstat-mount', '--pidfile', PID_FILE],
    env: { PATH: process.env.PATH ?? '' },
    cwd: '/',
    descriptors: new Map(),
  });
  const status = waitHere(pid, PATIENCE);
  // Another process may have been faster, and then this one ended with a failure: what counts is that one answers.
  for (let waited = 0; !(await isRunning()); waited += PAUSE) {
    if (waited >= PATIENCE || status !== 0) {
      throw new TsengineError(
        'System',
        `zfs: cannot start ${program} (${status === undefined ? 'it stays in the foreground' : `it ended with ${status}`}): its reason is in the system's log`,
      );
    }
    await sleep(PAUSE);
  }
}

/**
 * Does something with a daemon that must not end meanwhile because its last pool went, nor be started by two: a machine has one, and
 * data roots their own locks.
 */
export async function withDaemonLock<T>(work: () => Promise<T>): Promise<T> {
  makeDirectories(FOLDER, 0o700);
  using _lock = await lockFile(LOCK_FILE, 'exclusive');
  return await work();
}

/** Ends the daemon if it is one that we started and no pool is left with it. */
export async function endIdleDaemon(): Promise<void> {
  const pid = Number(readTextIfAny(PID_FILE)?.trim() ?? '');
  if (!Number.isSafeInteger(pid) || pid <= 0) return;
  const { code, stdout } = await runCommand('zpool', ['list', '-H', '-o', 'name']);
  if (code === 0 && stdout.length > 0) return;
  if (isDaemon(pid)) {
    process.kill(pid, 'SIGTERM');
    for (let waited = 0; isDaemon(pid) && waited < PATIENCE; waited += PAUSE) await sleep(PAUSE);
  }
  if (!isDaemon(pid)) removeFile(PID_FILE);
}

/** Whether a process is one of zfs-fuse: its number may be another's by now. */
export function isDaemon(pid: number): boolean {
  return readTextIfAny(`/proc/${pid}/comm`)?.trim() === PROGRAM;
}
