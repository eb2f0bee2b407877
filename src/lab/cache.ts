/**
 * What the lab made and keeps: kernels, root images, disks. Each entry is a folder whose name ends in a hash of what it was
 * made from, with `entry.json` beside its files. It is made aside, in a folder `making-*` that its maker holds locked, and
 * renamed into place. A maker that dies leaves an unlocked folder, which the next user of the cache removes; the same
 * goes for `machine-*`, the files of a running machine.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import { SyscallError } from '../linux/errno.ts';
import {
  listDirectory,
  makeDirectories,
  makeDirectory,
  pathExists,
  readTextIfAny,
  removeFile,
  renameFile,
  writeNewFile,
} from '../linux/files.ts';
import { type Lock, type LockMode, tryLockDirectory, tryLockFile } from '../linux/flock.ts';
import { removeTree } from '../linux/remove-tree.ts';
import { type EntryRecord, parseRecord } from './cache-record.ts';
import type { LabContext } from './context.ts';
import { cacheFolder } from './place.ts';
import { DISK_FULL } from './run-program.ts';

/** The file that makes a folder an entry. */
const RECORD = 'entry.json';
/** Between two looks at a lock that somebody else holds. Milliseconds. */
const LOOK_AGAIN = 100;
/** After so many looks it is said that we wait. */
const TELL_AFTER = 10;

/** What an entry is, before it is made. */
export interface EntryPlan {
  readonly kind: EntryRecord['kind'];
  /** Readable part of its name: `debian-6.1`. */
  readonly label: string;
  /** Everything that it is made from and that would make another one of it; hashed. */
  readonly madeOf: readonly string[];
  /** Makes it in an empty folder. Gives details for `lab ls`. */
  make(folder: string): Promise<Readonly<Record<string, string>>>;
}

/** An entry that is there and stays while it is held. */
export interface HeldEntry extends Disposable {
  readonly name: string;
  readonly folder: string;
  readonly record: EntryRecord;
}

/** A folder of our own that goes when it is disposed of, or when we die. */
export interface WorkFolder extends Disposable {
  readonly path: string;
}

/** An entry as `lab ls` shows it. */
export interface ListedEntry {
  readonly name: string;
  readonly record: EntryRecord;
  readonly folder: string;
}

/** The lab's cache. */
export class LabCache {
  readonly folder: string;
  readonly #context: LabContext;

  constructor(context: LabContext, folder = cacheFolder()) {
    this.folder = folder;
    this.#context = context;
  }

  /** Makes the folder: whoever only looks needs none. */
  #prepare(): void {
    try {
      makeDirectories(join(this.folder, 'locks'));
    } catch (error) {
      throw cannotUse(this.folder, error);
    }
  }

  /** The name that a plan's entry has. */
  nameOf(plan: EntryPlan): string {
    const hash = createHash('sha256').update(JSON.stringify(plan.madeOf)).digest('hex').slice(0, 12);
    return `${plan.kind}-${plan.label}-${hash}`;
  }

  /** The entry, made when it is not there; when `fresh`, made anew in any case. Of several who want it at once one makes it. */
  async hold(plan: EntryPlan, fresh = false): Promise<HeldEntry> {
    const name = this.nameOf(plan);
    if (fresh) await this.#make(plan, name, true);
    for (;;) {
      const lock = await this.#lock(name, 'shared');
      const record = this.#read(name);
      if (record !== undefined) {
        const folder = join(this.folder, name);
        return { name, folder, record, [Symbol.dispose]: () => lock.release() };
      }
      lock.release();
      await this.#make(plan, name, false);
    }
  }

  /** Whether the plan's entry is there. */
  has(plan: EntryPlan): ListedEntry | undefined {
    return this.list().find(({ name }) => name === this.nameOf(plan));
  }

  /** All entries, by name. */
  list(): readonly ListedEntry[] {
    return this.#names().flatMap((name) => {
      const record = this.#read(name);
      return record === undefined ? [] : [{ name, record, folder: join(this.folder, name) }];
    });
  }

  /** What is in the folder, in order; nothing when it is not there. */
  #names(): readonly string[] {
    try {
      return listDirectory(this.folder).sort();
    } catch (error) {
      throw cannotUse(this.folder, error);
    }
  }

  /** Removes, of the entries that are named, those that no machine runs from and nobody makes. Gives the names of the removed, and of the others. */
  removeUnused(names: readonly string[]): {
    readonly removed: readonly string[];
    readonly kept: readonly string[];
  } {
    const removed: string[] = [];
    const kept: string[] = [];
    for (const name of names) {
      using lock = this.#tryLock(name, 'exclusive');
      if (lock !== undefined) this.#discard(name);
      (lock === undefined ? kept : removed).push(name);
    }
    return { removed, kept };
  }

  /** Removes an entry. Fails while a machine runs from it or somebody makes it. */
  remove(name: string): void {
    if (this.#read(name) === undefined)
      throw new TsengineError('NotFound', `the lab's cache has no entry ${name}: see tsengine lab ls`);
    using lock = this.#tryLock(name, 'exclusive');
    if (lock === undefined)
      throw new TsengineError(
        'Conflict',
        `cannot remove ${name}: a machine runs from it, or it is being made`,
      );
    this.#discard(name);
  }

  /** A folder for the files of one machine, or for something that is being made. Removes what dead ones left. */
  async workFolder(prefix: 'machine' | 'making'): Promise<WorkFolder> {
    // Under one lock, so that nobody removes a folder between its making and its locking.
    using _guard = await this.#lock('.sweep', 'exclusive');
    this.#sweep();
    const path = join(this.folder, ownName(prefix));
    try {
      makeDirectory(path, 0o755);
    } catch (error) {
      throw cannotUse(this.folder, error);
    }
    const lock = tryLockDirectory(path, 'exclusive', join(this.folder, 'locks'));
    return {
      path,
      [Symbol.dispose]: () => {
        removeTree(path);
        lock?.release();
      },
    };
  }

  async #make(plan: EntryPlan, name: string, fresh: boolean): Promise<void> {
    // Who made it holds it for as long as a machine runs from it: do not wait for that.
    const isThere = (): boolean => !fresh && this.#read(name) !== undefined;
    using lock = await this.#lockUnless(isThere, name, 'exclusive');
    if (lock === undefined || isThere()) return;
    using work = await this.workFolder('making');
    try {
      const details = await plan.make(work.path);
      const record: EntryRecord = {
        version: 1,
        kind: plan.kind,
        label: plan.label,
        made: new Date().toISOString(),
        details,
      };
      writeNewFile(join(work.path, RECORD), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o644 });
    } catch (error) {
      throw explainFull(error, name, this.folder);
    }
    // Without a record it is what is left of one that was taken away file by file.
    if (fresh || this.#read(name) === undefined) this.#discard(name);
    renameFile(work.path, join(this.folder, name));
  }

  /** Takes an entry away in one step, then removes its files. A crash leaves a folder for the next sweep. */
  #discard(name: string): void {
    const path = join(this.folder, name);
    const aside = join(this.folder, ownName('making'));
    // It is locked under either name: a sweep of somebody else's keeps away from it.
    using _ours = tryLockIfAny(path, join(this.folder, 'locks'));
    if (!pathExists(path)) return;
    try {
      renameFile(path, aside);
    } catch (error) {
      // On overlayfs, a folder of a lower layer. Without its record it is no entry any more, and the rest goes when that can.
      if (!hasErrno(error, 'EXDEV')) throw error;
      removeFile(join(path, RECORD));
      removeTree(path);
      return;
    }
    removeTree(aside);
  }

  /** Removes what the dead left. What it cannot remove, somebody else's for one, is told, and harms nobody. */
  #sweep(): void {
    for (const name of this.#names()) {
      if (!/^(machine|making)-/.test(name)) continue;
      const path = join(this.folder, name);
      try {
        using lock = tryLockIfAny(path, join(this.folder, 'locks'));
        if (lock !== undefined) removeTree(path);
      } catch (error) {
        this.#context.progress(`${path}, which another lab left, stays: ${errorMessage(error)}`);
      }
    }
  }

  #read(name: string): EntryRecord | undefined {
    if (/^(machine|making)-|^\.|\//.test(name)) return undefined;
    try {
      const text = readTextIfAny(join(this.folder, name, RECORD));
      return text === undefined ? undefined : parseRecord(text);
    } catch (error) {
      // A file beside the entries, as the answers of accelerator.ts are.
      if (hasErrno(error, 'ENOTDIR')) return undefined;
      throw cannotUse(this.folder, error);
    }
  }

  /** Waits until nobody else does what `name` stands for, and holds it against others. `name` is none of an entry. */
  async alone(name: string): Promise<Lock> {
    return await this.#lock(name, 'exclusive');
  }

  /** Takes a lock of the cache if it is free. */
  #tryLock(name: string, mode: LockMode): Lock | undefined {
    try {
      return tryLockFile(join(this.folder, 'locks', name), mode, { ephemeral: true });
    } catch (error) {
      throw cannotUse(this.folder, error);
    }
  }

  /** Waits for a lock of the cache. */
  async #lock(name: string, mode: LockMode): Promise<Lock> {
    const lock = await this.#lockUnless(() => false, name, mode);
    if (lock === undefined) throw new TsengineError('System', `the lock ${name} was not taken`);
    return lock;
  }

  /** Waits for a lock of the cache, and says so, for as long as `enough` says that it is still wanted. */
  async #lockUnless(enough: () => boolean, name: string, mode: LockMode): Promise<Lock | undefined> {
    this.#prepare();
    for (let looked = 0; ; looked += 1) {
      const lock = this.#tryLock(name, mode);
      if (lock !== undefined) return lock;
      if (enough()) return undefined;
      if (looked === TELL_AFTER && !name.startsWith('.'))
        this.#context.progress(`waiting for another lab that makes or uses ${name}`);
      await sleep(LOOK_AGAIN, undefined, { signal: this.#context.signal });
    }
  }
}

let sequence = 0;

/** A name that nobody else takes. */
function ownName(prefix: string): string {
  return `${prefix}-${process.pid}-${Date.now().toString(36)}-${sequence++}`;
}

/** What is thrown for an error while `what` was made in the cache: that its disk is full, if that is why; else the error. */
export function explainFull(error: unknown, what: string, folder: string): unknown {
  const isFull = hasErrno(error, 'ENOSPC') || DISK_FULL.test(errorMessage(error));
  return isFull ? new TsengineError('System', fullDisk(what, folder), { cause: error }) : error;
}

function fullDisk(what: string, folder: string): string {
  return `cannot make ${what}: the disk with the lab's cache, ${folder}, is full: make room, see tsengine lab rm, or set TSENGINE_LAB_CACHE`;
}

/** What is thrown when the kernel refuses something in the cache; what is none of the kernel's errors is no fault of the folder, and stays as it is. */
function cannotUse(folder: string, error: unknown): unknown {
  if (!(error instanceof SyscallError)) return error;
  const why = hasErrno(error, 'ENOSPC')
    ? fullDisk('a folder', folder)
    : `cannot use the lab's cache ${folder}: ${errorMessage(error)}: set TSENGINE_LAB_CACHE to a folder of yours`;
  return new TsengineError('Unavailable', why, { cause: error });
}

function tryLockIfAny(path: string, locks: string): Lock | undefined {
  try {
    return tryLockDirectory(path, 'exclusive', locks);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
