/**
 * Write-sets: layers on their way into the store, or out of it, as folders in `layerdb/tmp/`.
 *
 * A layer that is being made exists twice: in the driver and as a folder of metadata. The folder comes first, and its
 * name says under which id the driver is about to make the layer, `tsengine-<id>-<number>`; nothing is written to it by
 * then that a power cut could lose. When all is done and on disk, the folder is renamed to where the store looks for
 * it: that is the moment the layer exists. A layer that is removed goes the same way back: its folder is renamed into
 * `tmp/` (it no longer exists), then the driver's layer is removed, then, when that would outlast a power cut, the folder.
 *
 * The process that works on a write-set holds a flock(2) on the folder. One that is not locked belongs to a dead
 * process, and `recoverWriteSets` removes what its name stands for. The folder gets that name only when it is locked: until
 * then it is `tsengine-making-<pid>-<number>`, which stands for no layer, so that a recovery that finds it unlocked never
 * removes what its living maker makes a moment later. So at no instant a crash leaves a registered layer
 * without its files, or a driver's layer that nothing knows of.
 */
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import {
  listDirectory,
  makeDirectory,
  pathExists,
  removeDirectory,
  removeFile,
  renameFile,
} from '../../linux/files.ts';
import { type Lock, tryLockDirectory } from '../../linux/flock.ts';

/** What removes the layers of a driver: a GraphDriver. */
export interface LayerRemover {
  exists(id: string): Promise<boolean>;
  put(id: string): Promise<void>;
  remove(id: string): Promise<void>;
}

/** Puts on disk what a driver did, where a later change of the record could come there before it. */
export type Settle = () => Promise<void>;

const NAME = /^tsengine-([0-9a-f]{64})-(\d{1,9})$/;
const UNNAMED = /^tsengine-making-\d+-\d+$/;
let sequence = 0;

/** A write-set that this process works on. */
export interface WriteSet {
  /** The folder. */
  readonly path: string;
  /** The driver's id. */
  readonly id: string;
  /** Renames the folder into the store. The lock goes with it until `release`. */
  moveTo(target: string): void;
  /** Gives up the lock, after `moveTo`. */
  release(): void;
  /** Removes the driver's layer, with an init layer if it has one. */
  removeLayer(driver: LayerRemover): Promise<void>;
  /** Removes the folder and gives up the lock, when the driver's layer is gone for good. */
  removeFolder(): void;
  /** Both, with `settle` in between. */
  remove(driver: LayerRemover, settle: Settle): Promise<void>;
  /** `remove` after a failure: what cannot be removed now is left to the next start, so that the first error is the one people see. */
  abandon(driver: LayerRemover, settle: Settle): Promise<void>;
}

function writeSet(path: string, id: string, lock: Lock): WriteSet {
  let at = path;
  const removeLayer = async (driver: LayerRemover): Promise<void> => {
    await driver.remove(id);
    await driver.remove(`${id}-init`);
  };
  const removeFolder = (): void => {
    emptyAndRemove(at);
    lock.release();
  };
  const remove = async (driver: LayerRemover, settle: Settle): Promise<void> => {
    await removeLayer(driver);
    await settle();
    removeFolder();
  };
  return {
    get path() {
      return at;
    },
    id,
    moveTo(target) {
      renameFile(at, target);
      at = target;
    },
    release: () => lock.release(),
    removeLayer,
    removeFolder,
    remove,
    abandon: (driver, settle) => remove(driver, settle).catch(() => lock.release()),
  };
}

/** Write-sets are flat: files of metadata only. */
function emptyAndRemove(path: string): void {
  for (const name of listDirectory(path)) removeFile(`${path}/${name}`);
  removeDirectory(path);
}

function freshName(tmpDir: string, id: string): string {
  sequence += 1;
  return `${tmpDir}/tsengine-${id}-${sequence}`;
}

/** Begins to make the layer that the driver will know as `id`. */
export function beginWriteSet(tmpDir: string, id: string): WriteSet {
  for (;;) {
    sequence += 1;
    const unnamed = `${tmpDir}/tsengine-making-${process.pid}-${sequence}`;
    makeDirectory(unnamed, 0o700);
    const lock = lockIfThere(unnamed, tmpDir);
    // Somebody's recovery may have found the folder before it was locked, and taken it for a dead process's.
    if (lock === undefined || !pathExists(unnamed)) {
      lock?.release();
      continue;
    }
    const making = writeSet(unnamed, id, lock);
    try {
      making.moveTo(freshName(tmpDir, id));
    } catch (error) {
      lock.release(); // The folder is left to the next recovery.
      throw error;
    }
    return making;
  }
}

/** Begins to remove a registered layer, by renaming its folder away. `undefined` when another process is at it or was. */
export function beginRemoval(tmpDir: string, folder: string, id: string): WriteSet | undefined {
  const lock = lockIfThere(folder, tmpDir);
  if (lock === undefined) return undefined;
  const removal = writeSet(folder, id, lock);
  try {
    removal.moveTo(freshName(tmpDir, id));
  } catch (error) {
    lock.release();
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  return removal;
}

function lockIfThere(path: string, tmpDir: string): Lock | undefined {
  try {
    return tryLockDirectory(path, 'exclusive', tmpDir);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Whether there are write-sets, of living processes or of dead ones. A directory listing, without any lock. */
export function anyWriteSet(tmpDir: string): boolean {
  return listDirectory(tmpDir).some((name) => NAME.test(name) || UNNAMED.test(name));
}

/**
 * Removes what dead processes were making or removing. Those of one process go in the reverse of the order in which
 * they were begun, because a later one may be a child of an earlier; a driver that still finds a child somewhere says
 * `Conflict`, and that write-set is tried again after the others.
 *
 * One that cannot be removed is told to `warn` and stays for the next start, whatever the reason: every command comes by here, and
 * none may fail for ever because of one layer. Only what is of the store is thrown (`isOfStore`), when all have had their turn.
 */
export async function recoverWriteSets(
  tmpDir: string,
  driver: LayerRemover,
  settle: Settle,
  warn: (message: string) => void,
): Promise<void> {
  const names = listDirectory(tmpDir);
  for (const name of names) if (UNNAMED.test(name)) removeUnnamed(tmpDir, name);
  let left = names
    .map((name) => NAME.exec(name))
    .filter((match) => match !== null)
    .sort((a, b) => Number(b[2]) - Number(a[2]));
  const failures: unknown[] = [];
  for (let before = -1; left.length > 0 && left.length !== before; ) {
    before = left.length;
    const again: RegExpExecArray[] = [];
    for (const match of left) {
      try {
        await recoverOne(tmpDir, match[0], match[1] ?? '', driver, settle);
      } catch (error) {
        if (isOfCode(error, 'Conflict')) again.push(match);
        else if (isOfStore(error)) failures.push(error);
        else warn(staysBehind(`${tmpDir}/${match[0]}`, match[1] ?? '', error));
      }
    }
    left = again;
  }
  for (const match of left)
    warn(`${tmpDir}/${match[0]}: layer ${match[1]} is still in use and stays until the next start`);
  if (failures.length > 0) throw failures[0];
}

/** What people are told of a layer that could not be removed, whose write-set is `path`. */
export function staysBehind(path: string, id: string, error: unknown): string {
  return `${path}: layer ${id}, which nothing needs, cannot be removed: ${errorMessage(error)}; the next command tries again`;
}

/**
 * Whether a failure is of the store and not of one layer: nothing can be removed there, or its disk is full, for which the caller
 * may have a remedy.
 */
export function isOfStore(error: unknown): boolean {
  return isOfCode(error, 'Unavailable') || hasErrno(error, 'ENOSPC', 'EDQUOT');
}

function isOfCode(error: unknown, code: TsengineError['code']): boolean {
  return error instanceof TsengineError && error.code === code;
}

/** Removes a folder that has not got its name: it is empty, and stands for nothing. */
function removeUnnamed(tmpDir: string, name: string): void {
  const path = `${tmpDir}/${name}`;
  const lock = lockIfThere(path, tmpDir);
  if (lock === undefined) return;
  try {
    if (pathExists(path)) removeDirectory(path);
  } finally {
    lock.release();
  }
}

async function recoverOne(
  tmpDir: string,
  name: string,
  id: string,
  driver: LayerRemover,
  settle: Settle,
): Promise<void> {
  const path = `${tmpDir}/${name}`;
  const lock = lockIfThere(path, tmpDir);
  if (lock === undefined) return;
  try {
    if (!pathExists(path)) return;
    // A process that died while it filled an init layer had that mounted, and can no longer say that it is done.
    for (const layer of [id, `${id}-init`]) if (await driver.exists(layer)) await driver.put(layer);
    await writeSet(path, id, lock).remove(driver, settle);
  } finally {
    lock.release();
  }
}
