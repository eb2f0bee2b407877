/**
 * The data root and the exec root: the two folders an engine works in, and the locks by which several processes share
 * them.
 *
 * The data root has Docker's layout (DESIGN.md, "On disk"). What is ours alone is in `<data-root>/tsengine/`, a name
 * that Docker ignores:
 *
 *     tsengine/version.json   {"version": 1}: the version of everything we keep
 *     tsengine/locks/NAME     flock(2) files; those of single ids come and go
 *     tsengine/leases/NAME    what processes hold that is not on record yet (layers/leases.ts)
 *     tsengine/tmp/           files being written under the `images` lock; anything else in it is a dead process's
 *
 * Locks are in the data root, not in the exec root, so that two processes that name different exec roots still meet.
 * Always taken in this order, each for a moment only: a container's, `images`, `layers`. The one that is held for long,
 * a chain's (`chain-…`), is taken from the bottom of an image to its top and never while `images` or `layers` is held.
 */
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as z from 'zod/mini';
import { hasErrno, TsengineError } from '../errors.ts';
import { deadMountOf } from '../linux/dead-mount.ts';
import { makeDirectories, makeDirectory, readTextIfAny, writeFileAtomic } from '../linux/files.ts';
import { type Lock, type LockMode, lockFile, tryLockFile } from '../linux/flock.ts';
import { sha256Hex } from '../linux/sha256.ts';
import { shellWord } from '../linux/shell-word.ts';
import { suspendedPoolOf, suspendedText } from '../linux/suspended-pool.ts';
import { type HeldAgainstDockerd, holdAgainstDockerd } from './docker-daemon.ts';
import { parseJson } from './json.ts';
import { keepReserve } from './reserve.ts';

/** Where the engine keeps everything unless told otherwise. */
export const DEFAULT_DATA_ROOT = '/var/lib/tsengine';
/** Where the engine keeps what a reboot may forget, for the default data root. On tmpfs. */
export const DEFAULT_EXEC_ROOT = '/run/tsengine';
/** The version of what we keep on disk. It grows when an older tsengine could no longer read it. */
export const STATE_VERSION = 1;

/** Options of a lock. */
export interface RootLockOptions {
  /** Default `exclusive`. */
  readonly mode?: LockMode;
  /** For names that come and go, such as a container's: the file is removed with its last holder. */
  readonly ephemeral?: boolean;
}

/** A data root with its exec root, opened. Dispose of it at the end. */
export interface DataRoot extends Disposable {
  /** Absolute, free of symbolic links. */
  readonly path: string;
  readonly execRoot: string;
  /** `<data-root>/tsengine`. */
  readonly stateDir: string;
  /** `<data-root>/tsengine/tmp`, on the filesystem of the stores. */
  readonly tmpDir: string;
  /** `<data-root>/containers`. Made by whoever writes the first container, mode 0710. */
  readonly containersDir: string;
  /** Opened for reading alone (read-only-root.ts): nothing in it may be written, and the locks fail with `Forbidden`. */
  readonly readOnly: boolean;
  /** Whether a dockerd works on it, whose records are then the truth. Only a root opened for reading can have one. */
  readonly hasDockerd: boolean;
  /**
   * An open file that conmon inherits: as long as a container runs no dockerd starts on the root, which would take it for
   * ended and start it a second time on the same files. `undefined` where Docker never was.
   */
  readonly heldFd: number | undefined;
  /** `<data-root>/image/<driver>`. */
  imageDir(driver: string): string;
  /** `<data-root>/<driver>`. */
  driverHome(driver: string): string;
  /** `<exec-root>/<driver>`. */
  driverRunHome(driver: string): string;
  /** Takes the lock `name` (letters, digits, `.`, `_`, `-`), waiting for it. */
  lock(name: string, options?: RootLockOptions): Promise<Lock>;
  /** Takes the lock `name` if it is free. */
  tryLock(name: string, options?: RootLockOptions): Lock | undefined;
}

/** Which roots to open. */
export interface DataRootOptions {
  readonly dataRoot?: string | undefined;
  readonly execRoot?: string | undefined;
  /** Whoever opens it changes nothing in it, so that `--read-only-root` serves as well where it cannot be written. */
  readonly onlyReads?: boolean;
}

const versionSchema = z.looseObject({ version: z.int().check(z.gte(1)) });

/** Makes a directory of this mode when it is not there. Another process may make it at the same time. */
export function ensureDirectory(path: string, mode: number): void {
  if (existsSync(path)) return;
  makeDirectories(dirname(path));
  try {
    makeDirectory(path, mode);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}

/** The exec root that belongs to a data root when none is named. Two data roots never share one. */
export function execRootFor(dataRoot: string): string {
  if (dataRoot === DEFAULT_DATA_ROOT) return DEFAULT_EXEC_ROOT;
  return `${DEFAULT_EXEC_ROOT}-${sha256Hex(dataRoot).slice(0, 12)}`;
}

/** Fails with `Forbidden` without root's rights. */
export function mustBeRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new TsengineError('Forbidden', 'tsengine needs the rights of root: run it as root or with sudo');
}

/**
 * Opens a data root, made when absent. Fails with `Forbidden` without root's rights, with `Conflict` when a dockerd
 * works on it, with `Unavailable` when a newer tsengine wrote it. Takes no lock and loads no foreign code unless the
 * root is also Docker's.
 */
export async function openDataRoot(options: DataRootOptions = {}): Promise<DataRoot> {
  mustBeRoot();
  const named = resolve(options.dataRoot ?? DEFAULT_DATA_ROOT);
  refuseSuspended(named);
  refuseNonDirectory(named, 'data root');
  const path = madeRoot(named, options.onlyReads === true);
  const execRoot = resolve(options.execRoot ?? execRootFor(path));
  refuseNonDirectory(execRoot, 'exec root');
  const against = holdAgainstDockerd(path);
  try {
    ensureDirectory(execRoot, 0o700);
    const root = new OpenDataRoot(path, execRoot, against, options.onlyReads === true);
    await checkVersion(root);
    return root;
  } catch (error) {
    against?.[Symbol.dispose]();
    if (!hasErrno(error, 'EROFS')) throw error;
    throw onReadOnlyDisk(path, options.onlyReads === true, error);
  }
}

/** The error of whoever would write in a data root that nobody can write in. */
export function onReadOnlyDisk(path: string, onlyReads: boolean, cause: unknown): TsengineError {
  const advice = onlyReads
    ? ': look at it with --read-only-root'
    : ', and this would change it: mount it to be written, or choose another --data-root';
  return new TsengineError('Unavailable', `data root ${path} is on a read-only file system${advice}`, {
    cause,
  });
}

/** Fails where nothing can be written in a data root that is there, for whoever will write in it. */
export function mustBeWritable({ path }: Pick<DataRoot, 'path'>): void {
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw hasErrno(error, 'EROFS') ? onReadOnlyDisk(path, false, error) : error;
  }
}

/** Fails with `Unavailable` where everything that is done to the data root would wait for ever. */
export function refuseSuspended(path: string): void {
  const pool = suspendedPoolOf(path);
  if (pool !== undefined) throw new TsengineError('Unavailable', `data root ${path}: ${suspendedText(pool)}`);
}

/** Makes the folder of a data root if it is absent, and gives its real path. */
function madeRoot(path: string, onlyReads: boolean): string {
  try {
    ensureDirectory(path, 0o710);
    return realpathSync(path);
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR')) throw belowNonDirectory(path, error);
    if (hasErrno(error, 'EROFS')) throw onReadOnlyDisk(path, onlyReads, error);
    const mount = hasErrno(error, 'ENOTCONN') ? deadMountOf(path) : undefined;
    if (mount === undefined) throw error;
    throw new TsengineError(
      'Unavailable',
      `data root ${path} is on ${mount}, and the FUSE daemon that served it died: umount -l ${shellWord(mount)}, start it again, and mount what was there`,
      { cause: error },
    );
  }
}

function belowNonDirectory(path: string, cause: unknown): TsengineError {
  let above = dirname(path);
  while (!existsSync(above)) above = dirname(above);
  const message = `data root ${path} cannot be: ${above} is not a directory: name another --data-root`;
  return new TsengineError('InvalidParameter', message, { cause });
}

/** Fails with `InvalidParameter` where a folder is wanted and something else is there. */
export function refuseNonDirectory(path: string, what: string): void {
  if (existsSync(path) && !statSync(path).isDirectory()) {
    throw new TsengineError('InvalidParameter', `${what} ${path} is not a directory: name another`);
  }
}

/** Where things are in a data root and its exec root. */
export class RootPaths {
  readonly path: string;
  readonly execRoot: string;
  readonly stateDir: string;
  readonly tmpDir: string;
  readonly containersDir: string;

  constructor(path: string, execRoot: string) {
    this.path = path;
    this.execRoot = execRoot;
    this.stateDir = `${path}/tsengine`;
    this.tmpDir = `${path}/tsengine/tmp`;
    this.containersDir = `${path}/containers`;
  }

  imageDir(driver: string): string {
    return `${this.path}/image/${driver}`;
  }

  driverHome(driver: string): string {
    return `${this.path}/${driver}`;
  }

  driverRunHome(driver: string): string {
    return `${this.execRoot}/${driver}`;
  }
}

class OpenDataRoot extends RootPaths implements DataRoot {
  readonly readOnly = false;
  readonly hasDockerd = false;
  readonly #against: HeldAgainstDockerd | undefined;
  readonly #onlyReads: boolean;

  constructor(path: string, execRoot: string, against: HeldAgainstDockerd | undefined, onlyReads: boolean) {
    super(path, execRoot);
    this.#against = against;
    this.#onlyReads = onlyReads;
    for (const name of ['', '/locks', '/leases', '/tmp']) ensureDirectory(this.stateDir + name, 0o700);
  }

  #lockPath(name: string): string {
    if (!/^[A-Za-z0-9._-]{1,200}$/.test(name))
      throw new TypeError(`not a lock name: ${JSON.stringify(name)}`);
    return `${this.stateDir}/locks/${name}`;
  }

  async lock(name: string, { mode = 'exclusive', ephemeral = false }: RootLockOptions = {}): Promise<Lock> {
    try {
      return await lockFile(this.#lockPath(name), mode, { ephemeral });
    } catch (error) {
      throw this.#told(error);
    }
  }

  tryLock(name: string, { mode = 'exclusive', ephemeral = false }: RootLockOptions = {}): Lock | undefined {
    try {
      return tryLockFile(this.#lockPath(name), mode, { ephemeral });
    } catch (error) {
      throw this.#told(error);
    }
  }

  #told(error: unknown): unknown {
    return hasErrno(error, 'EROFS') ? onReadOnlyDisk(this.path, this.#onlyReads, error) : error;
  }

  get heldFd(): number | undefined {
    return this.#against?.fd;
  }

  [Symbol.dispose](): void {
    this.#against?.[Symbol.dispose]();
  }
}

/** One step from a version to the next. It must be repeatable: a crash in it, or after it, runs it again. */
type Upgrade = (root: DataRoot) => void;
/** The upgrade from version N is at index N - 1. */
const UPGRADES: readonly Upgrade[] = [];

/** The version of what is on disk, `undefined` where tsengine never was. Fails with `Unavailable` on a newer one. */
export function readVersion(root: RootPaths): number | undefined {
  const file = `${root.stateDir}/version.json`;
  const text = readTextIfAny(file);
  if (text === undefined) return undefined;
  const { version } = parseJson(text, versionSchema, file);
  if (version > STATE_VERSION) {
    throw new TsengineError(
      'Unavailable',
      `data root ${root.path} was written by a newer tsengine (state version ${version}, this one knows ${STATE_VERSION}): update tsengine or use another --data-root`,
    );
  }
  return version;
}

async function checkVersion(root: DataRoot): Promise<void> {
  if (readVersion(root) === STATE_VERSION) return;
  using _ = await root.lock('version');
  // Another process may have been first.
  const version = readVersion(root);
  if (version === STATE_VERSION) return;
  for (const upgrade of UPGRADES.slice((version ?? STATE_VERSION) - 1)) upgrade(root);
  keepReserve(root);
  const text = `${JSON.stringify({ version: STATE_VERSION })}\n`;
  writeFileAtomic(`${root.stateDir}/version.json`, text, { alone: true });
}
