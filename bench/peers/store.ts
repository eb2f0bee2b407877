/** Fresh stores of the suite, for engines and for floors, each in a folder of its own. */
import { mkdirSync, rmdirSync } from 'node:fs';
import type { Bench } from '../bench.ts';
import { makeStore } from '../suite/stores/make-store.ts';
import type { Store, StoreKind } from '../suite/stores/store.ts';

/**
 * Where a workload works: a tmpfs that only its process sees, with a path without blanks, colons and commas, which drivers,
 * overlayfs and engines take apart.
 */
export const WORK = '/run/tsengine-bench';

/** Sparse, so that only what is written is taken. Bytes. */
const SIZE = 24 * 1024 ** 3;

/** A store with a folder beside it for what an engine needs outside of its data root. */
export interface Place extends AsyncDisposable {
  readonly store: Store;
  /** On a tmpfs. */
  readonly work: string;
}

let made = 0;

/** Makes a store. Only in the process of a workload. */
export async function makePlace({ images, owner }: Bench, kind: StoreKind = 'ext4'): Promise<Place> {
  made += 1;
  const work = `${WORK}/${made}`;
  mkdirSync(work);
  try {
    const store = await makeStore(kind, { images, work, size: SIZE, owner });
    return { store, work, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
  } catch (error) {
    rmdirSync(work);
    throw error;
  }
}

/** What a driver's layers are measured on. */
export function storeOf(driver: string): StoreKind {
  if (driver === 'btrfs') return 'btrfs';
  return driver === 'zfs' ? 'zpool' : 'ext4';
}
