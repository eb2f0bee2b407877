/**
 * Leases: the layers that a process needs and that nothing on record refers to yet.
 *
 * A load registers layers first and the image that refers to them afterwards. In between, another process that removes
 * an image must not take them away, and if this process dies there, they must not stay for ever. So every process that
 * adds something writes the chain IDs into a file of its own in `tsengine/leases/`, which it keeps locked for as long
 * as it lives. Who counts references counts the locked ones; an unlocked one belongs to a dead process, and its layers
 * are released as far as nothing else refers to them.
 *
 * A lease is read and extended under the `layers` lock; only layers that are not registered yet are added without it.
 */
import { randomBytes } from 'node:crypto';
import { closeFile, listDirectory, openFile, readTextIfAny, writeAll } from '../../linux/files.ts';
import { type Lock, tryLockFile } from '../../linux/flock.ts';
import type { DataRoot } from '../root.ts';
import type { ChainId } from './types.ts';

function leaseDir(root: DataRoot): string {
  return `${root.stateDir}/leases`;
}

/** Only whole lines: the last one may still be on its way. */
function parseLease(text: string): ChainId[] {
  return text
    .split('\n')
    .slice(0, -1)
    .filter((line) => /^sha256:[0-9a-f]{64}$/.test(line));
}

/** This process's hold on layers, until it is disposed of. Its file is made with the first layer. */
export class Lease implements Disposable {
  readonly #dir: string;
  readonly #held = new Set<ChainId>();
  #file: { readonly path: string; readonly lock: Lock } | undefined;

  constructor(root: DataRoot) {
    this.#dir = leaseDir(root);
  }

  add(chainIds: readonly ChainId[]): void {
    const fresh = chainIds.filter((chainId) => !this.#held.has(chainId));
    if (fresh.length === 0) return;
    this.#file ??= this.#open();
    const fd = openFile(this.#file.path, 'a');
    try {
      writeAll(fd, Buffer.from(`${fresh.join('\n')}\n`));
    } finally {
      closeFile(fd);
    }
    for (const chainId of fresh) this.#held.add(chainId);
  }

  #open(): { readonly path: string; readonly lock: Lock } {
    for (;;) {
      const path = `${this.#dir}/${randomBytes(16).toString('hex')}`;
      // Somebody's recovery may look at the new file before it is locked, and take it for a dead process's.
      const lock = tryLockFile(path, 'exclusive', { ephemeral: true });
      if (lock !== undefined) return { path, lock };
    }
  }

  /** The name of its file; `undefined` while nothing is held. */
  get name(): string | undefined {
    return this.#file?.path.slice(this.#dir.length + 1);
  }

  [Symbol.dispose](): void {
    this.#file?.lock.release();
    this.#file = undefined;
    this.#held.clear();
  }
}

/** Whether there is any lease, of a living process or a dead one. A directory listing, without any lock. */
export function anyLease(root: DataRoot): boolean {
  return listDirectory(leaseDir(root)).length > 0;
}

/** All that processes hold, living ones and dead ones not yet recovered; but for the lease `except`. Called under the `layers` lock. */
export function leasedLayers(root: DataRoot, except?: string): Set<ChainId> {
  const held = new Set<ChainId>();
  for (const name of listDirectory(leaseDir(root))) {
    if (name === except) continue;
    for (const chainId of parseLease(readTextIfAny(`${leaseDir(root)}/${name}`) ?? '')) held.add(chainId);
  }
  return held;
}

/**
 * Calls `release` with what each dead process held, last first, and then forgets the lease. A crash in between leaves
 * the lease, and the next recovery goes on.
 */
export async function recoverLeases(
  root: DataRoot,
  release: (chainIds: readonly ChainId[], lease: string) => Promise<void>,
): Promise<void> {
  for (const name of listDirectory(leaseDir(root))) {
    const path = `${leaseDir(root)}/${name}`;
    using lock = tryLockFile(path, 'exclusive', { ephemeral: true });
    if (lock === undefined) continue;
    await release(parseLease(readTextIfAny(path) ?? '').reverse(), name);
  }
}
