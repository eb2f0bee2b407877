import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { hasErrno, TsengineError } from '../errors.ts';
import { tryFlock } from '../linux/flock.ts';

/** Where dockerd writes its pid unless told otherwise. */
const DOCKER_PID_FILE = '/var/run/docker.pid';

/** What keeps a dockerd from starting on a data root. */
export interface HeldAgainstDockerd extends Disposable {
  /** Whoever inherits it keeps dockerd away as well, until all who have it have ended: see `DataRoot.heldFd`. */
  readonly fd: number;
}

/**
 * Refuses a data root that a live dockerd works on, and keeps one from starting on it while this process works there.
 *
 * dockerd keeps its volumes' labels in `volumes/metadata.db`, a bolt database, and holds an exclusive flock(2) on it for
 * as long as it lives. We take a shared one, so that any number of ours can be there together and dockerd fails to start
 * meanwhile. Gives `undefined` where Docker never was: nothing to check, and no foreign call is made.
 */
export function holdAgainstDockerd(dataRoot: string): HeldAgainstDockerd | undefined {
  const database = `${dataRoot}/volumes/metadata.db`;
  let fd: number;
  try {
    fd = openSync(database, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  if (tryFlock(fd, 'shared')) return { fd, [Symbol.dispose]: () => closeSync(fd) };
  closeSync(fd);
  const pid = lockHolder(database) ?? readPidFile(DOCKER_PID_FILE);
  throw new TsengineError(
    'Conflict',
    `data root ${dataRoot} is in use by dockerd${pid === undefined ? '' : ` (pid ${pid})`}: stop it first, or look at it with --read-only-root`,
  );
}

/** Whether a live dockerd works on the data root. Takes no lock for longer than it takes to ask, which dockerd waits for. */
export function isUsedByDockerd(dataRoot: string): boolean {
  let fd: number;
  try {
    fd = openSync(`${dataRoot}/volumes/metadata.db`, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return false;
    throw error;
  }
  try {
    return !tryFlock(fd, 'shared');
  } finally {
    closeSync(fd);
  }
}

/** The process that holds a lock on the file, by its inode. Source: proc(5), `/proc/locks`: `1: FLOCK ADVISORY WRITE PID MA:MI:INODE 0 EOF`. */
function lockHolder(path: string): number | undefined {
  const { ino } = statSync(path);
  for (const line of readFileSync('/proc/locks', 'latin1').split('\n')) {
    const [, kind, , , pid, file] = line.split(/\s+/);
    if (kind === 'FLOCK' && file?.split(':')[2] === String(ino) && Number(pid) > 0) return Number(pid);
  }
  return undefined;
}

function readPidFile(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8').trim());
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'dockerd' ? pid : undefined;
  } catch {
    return undefined;
  }
}
