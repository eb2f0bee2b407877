/**
 * What the first set-up of a root makes, and how it is taken away again where that fails: the root is as before then, and the
 * next try begins anew, with other options perhaps. What was there before stays. A kill meanwhile leaves what the next start
 * goes on from: it is what a kill of the set-up itself leaves.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno } from '../../errors.ts';
import { pathExists, removeDirectory, removeFile } from '../../linux/files.ts';
import type { DriverContext } from '../driver.ts';
import { STAGED_FOLDER } from '../staging.ts';
import type { Pool } from './pool.ts';

/** How often, and how long apart, a pool is tried again: udev looks at new devices. */
const TRIES = 50;
const PAUSE = 100;

/** What is asked of the pool. */
export type PoolToUndo = Pick<Pool, 'isOurs' | 'files' | 'device' | 'deactivate'>;

/** One first set-up. */
export class FirstSetup {
  readonly #context: Pick<DriverContext, 'home' | 'runHome'>;
  #absent: ReadonlySet<string> = new Set();

  /** To be called before anything is made. */
  constructor(context: Pick<DriverContext, 'home' | 'runHome'>) {
    this.#context = context;
    this.note();
  }

  /** Looks anew at what is there before anything is made. */
  note(): void {
    this.#absent = new Set([...this.#files(), ...this.#folders()].filter((path) => !pathExists(path)));
  }

  /** All that a set-up that fails may have made. */
  #files(): string[] {
    const { home, runHome } = this.#context;
    return [
      // A kill in between leaves data without metadata, of which a new pool is made.
      ...['metadata', 'data'].map((name) => `${home}/devicemapper/${name}`),
      ...['base', 'transaction-metadata', 'deviceset-metadata'].map((name) => `${home}/metadata/${name}`),
      ...['verified', 'next-device', 'deleted/base'].map((name) => `${runHome}/${name}`),
      // The last: who waits for it begins anew when it is gone.
      this.#lock,
    ];
  }

  get #lock(): string {
    return `${this.#context.home}/${STAGED_FOLDER}/lock`;
  }

  /** From the innermost. The folder of the lock and the one around it come last. */
  #folders(): string[] {
    const { home, runHome } = this.#context;
    const within = ['devicemapper', 'metadata', 'mnt'].map((name) => `${home}/${name}`);
    return [`${runHome}/deleted`, runHome, ...within, `${home}/${STAGED_FOLDER}`, home];
  }

  /** Whether there is a file of the pool's that was not there. */
  #isNew({ files }: PoolToUndo): boolean {
    return [files.data, files.metadata].some(
      (file) => file !== undefined && this.#absent.has(file) && pathExists(file),
    );
  }

  /**
   * Takes away what was made. `wasActive` says whether the pool was there before, `isEmpty` whether no device is left in it.
   * With the set's lock held, and nothing of the pool active.
   */
  async undo(pool: PoolToUndo, wasActive: boolean, isEmpty: () => boolean): Promise<void> {
    const isNew = this.#isNew(pool);
    if (pool.isOurs && (!wasActive || isNew) && !(await isDown(pool))) return;
    // Without these files nobody would know of a device in a pool that stays.
    if (!isNew && !isEmpty()) return;
    for (const path of this.#files()) if (this.#absent.has(path)) removeFile(path);
    this.#removeFolders();
  }

  /** Takes away what the set's lock was taken in, where nothing else was made. With that lock held. */
  abandon(): void {
    if (this.#absent.has(this.#lock)) removeFile(this.#lock);
    this.#removeFolders();
  }

  #removeFolders(): void {
    for (const path of this.#folders()) if (this.#absent.has(path)) removeIfEmpty(path);
  }
}

/** Takes the pool down. Gives false where something uses it for long. */
async function isDown(pool: PoolToUndo): Promise<boolean> {
  for (let tries = 0; pool.device() !== undefined; tries++) {
    if (tries > 0) await sleep(PAUSE);
    if (!pool.deactivate() && tries >= TRIES) return false;
  }
  return true;
}

/** One that somebody else works in by now stays. */
function removeIfEmpty(path: string): void {
  try {
    removeDirectory(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY')) throw error;
  }
}
