/**
 * Leases: the layers that a process needs and that nothing on record refers to yet.
 *
 * A load registers layers first and the image that refers to them afterwards. In between, another process that removes
 * an image must not take them away, and if this process dies there, they must not stay for ever. So every process that
 * adds something writes the chain IDs into a file of its own in `tsengine/leases/`, which it keeps locked for as long
 * as it lives. Who counts references counts the locked ones; an unlocked one belongs to a dead process, and its layers
 * are released as far as nothing else refers to them.
 *
 * Layers that have lost their image while somebody's lease names them are left to a later start, by a note of the
 * same form, `later-…`: he may never refer to them. A note keeps no layer.
 *
 * A lease also names images whose configuration is about to be written, so that one that got no name before its
 * process died goes again, and the layers of an image that is about to be removed. From then on it is durable: a power cut
 * that keeps the image, or its removal, keeps what says that there is something left to do.
 *
 * A lease is read and extended under the `layers` lock; without it only layers are added that are not registered yet,
 * or that are certain to be referred to until the line is written.
 */

import {
  closeFile,
  fsync,
  fsyncDirectory,
  listDirectory,
  openFile,
  readTextIfAny,
  removeFile,
  writeAll,
} from '../../linux/files.ts';
import { type Lock, tryLockFile } from '../../linux/flock.ts';
import { randomBytes } from '../../linux/random.ts';
import type { DataRoot } from '../root.ts';
import type { ChainId } from './types.ts';

/** How the names of notes begin: not leases, but layers to be looked at again. */
const LATER = 'later-';

function leaseDir(root: DataRoot): string {
  return `${root.stateDir}/leases`;
}

/** What a dead process left behind: layers, the last first, and images. */
export interface LeftBehind {
  readonly layers: readonly ChainId[];
  readonly images: readonly string[];
}

/** Only whole lines: the last one may still be on its way. */
function parseLease(text: string): LeftBehind {
  const lines = text.split('\n').slice(0, -1);
  const layers = lines.filter((line) => /^sha256:[0-9a-f]{64}$/.test(line)).reverse();
  const images = lines.filter((line) => /^image sha256:[0-9a-f]{64}$/.test(line));
  return { layers, images: images.map((line) => line.slice('image '.length)) };
}

/** This process's hold on layers, until it is disposed of. Its file is made with the first layer. */
export class Lease implements Disposable {
  readonly #dir: string;
  readonly #prefix: string;
  readonly #lines = new Set<string>();
  #file: { readonly path: string; readonly lock: Lock } | undefined;
  #left = false;
  /** A line may have been cut off by a failure: the next one must not be taken for its end. */
  #torn = false;

  constructor(root: DataRoot, prefix = '') {
    this.#dir = leaseDir(root);
    this.#prefix = prefix;
  }

  add(chainIds: readonly ChainId[]): void {
    this.#write(chainIds);
  }

  /** Names an image that is about to be written or removed. It is on disk then, with all that was added before. */
  announce(imageId: string): void {
    this.#write([`image ${imageId}`], true);
  }

  #write(lines: readonly string[], durable = false): void {
    const fresh = lines.filter((line) => !this.#lines.has(line));
    if (fresh.length === 0) return;
    this.#file ??= this.#open();
    const fd = openFile(this.#file.path, 'a');
    try {
      const before = this.#torn ? '\n' : '';
      this.#torn = true;
      writeAll(fd, Buffer.from(`${before}${fresh.join('\n')}\n`), null, this.#file.path);
      this.#torn = false;
      if (durable) fsync(fd, this.#file.path);
    } finally {
      closeFile(fd);
    }
    if (durable) fsyncDirectory(this.#dir);
    for (const line of fresh) this.#lines.add(line);
  }

  #open(): { readonly path: string; readonly lock: Lock } {
    for (;;) {
      const path = `${this.#dir}/${this.#prefix}${randomBytes(16).toString('hex')}`;
      // Somebody's recovery may look at the new file before it is locked, and take it for a dead process's.
      const lock = tryLockFile(path, 'exclusive');
      if (lock !== undefined) return { path, lock };
    }
  }

  /** The name of its file; `undefined` while nothing is held. */
  get name(): string | undefined {
    return this.#file?.path.slice(this.#dir.length + 1);
  }

  /** Leaves the file behind when the lease is disposed of: what could not be released now is for the next start. */
  leaveBehind(): void {
    this.#left = true;
  }

  [Symbol.dispose](): void {
    if (this.#file === undefined) return;
    const { path, lock } = this.#file;
    this.#file = undefined;
    this.#lines.clear();
    try {
      if (!this.#left) removeFile(path);
    } catch {
      // What it was for is done. The next start takes it for a dead process's, finds nothing to do and removes it.
    } finally {
      lock.release();
    }
  }
}

/** Whether there is any lease, of a living process or a dead one. A directory listing, without any lock. */
export function anyLease(root: DataRoot): boolean {
  return listDirectory(leaseDir(root)).length > 0;
}

/** All that processes hold, living ones and dead ones not yet recovered; but for the leases `except`. Called under the `layers` lock. */
export function leasedLayers(root: DataRoot, except: ReadonlySet<string> = new Set()): Set<ChainId> {
  const held = new Set<ChainId>();
  for (const name of listDirectory(leaseDir(root))) {
    if (except.has(name) || name.startsWith(LATER)) continue;
    const { layers } = parseLease(readTextIfAny(`${leaseDir(root)}/${name}`) ?? '');
    for (const chainId of layers) held.add(chainId);
  }
  return held;
}

/** Leaves a note, so that a later start releases these layers, bottom first. Called under the `layers` lock. */
export function leaveToLater(root: DataRoot, chainIds: readonly ChainId[]): void {
  using lease = new Lease(root, LATER);
  lease.leaveBehind();
  lease.add(chainIds);
}

/**
 * Calls `release` with all that dead processes held, and then forgets their leases. Together, because each would keep what
 * another names. A crash in between leaves the leases, and the next recovery goes on.
 */
export async function recoverLeases(
  root: DataRoot,
  release: (left: LeftBehind, leases: ReadonlySet<string>) => Promise<void>,
): Promise<void> {
  const dead = new Map<string, Lock>();
  try {
    for (const name of listDirectory(leaseDir(root))) {
      const lock = tryLockFile(`${leaseDir(root)}/${name}`, 'exclusive');
      if (lock !== undefined) dead.set(name, lock);
    }
    if (dead.size === 0) return;
    const names = new Set(dead.keys());
    const left = [...names].map((name) => parseLease(readTextIfAny(`${leaseDir(root)}/${name}`) ?? ''));
    const layers = left.flatMap((one) => one.layers);
    await release({ layers, images: left.flatMap((one) => one.images) }, names);
    for (const name of names) removeFile(`${leaseDir(root)}/${name}`);
  } finally {
    for (const lock of dead.values()) lock.release();
  }
}
