/**
 * Makes the data of layers durable, as cheaply as that can be had: syncfs(2) of their filesystem is begun while layers
 * still come in, so that little is left for the one call that everybody waits for.
 */
import { closeSync, existsSync, statSync } from 'node:fs';
import { openFile } from '../../linux/files.ts';
import { keepsOrder, syncfs } from '../../linux/sync.ts';
import type { DataRoot } from '../root.ts';

/** Bytes of layers after which writing to disk is begun once more. */
const EARLY_BYTES = 96 * 1024 * 1024;

/** Syncs the filesystems that hold the given folders. */
export interface DataSync extends Disposable {
  /** `bytes` more have been written: begins to sync when it is worth it. Never waits, never fails. */
  wrote(bytes: number): void;
  /** All that was written before this call is on disk when it returns. Fails when anything since the beginning could not be written. */
  finish(): Promise<void>;
}

/** A sync that does nothing, for `"sync-layers": false`. */
export const NO_SYNC: DataSync = { wrote: () => {}, finish: async () => {}, [Symbol.dispose]: () => {} };

/** Opens one folder of each filesystem. */
function openEach(folders: readonly string[]): number[] {
  const found = new Map<number, number>();
  for (const folder of folders) {
    if (!existsSync(folder)) continue;
    const { dev } = statSync(folder);
    if (!found.has(dev)) found.set(dev, openFile(folder, 'r'));
  }
  return [...found.values()];
}

/**
 * Begins to watch over the filesystems of `folders`. They are opened now, because syncfs(2) reports only the write
 * errors that happened after its descriptor was opened, and each of them once.
 */
export function dataSync(folders: readonly string[]): DataSync {
  const fds = openEach(folders);
  let pending = 0;
  let early: Promise<void> | undefined;
  let failed: { readonly error: unknown } | undefined;
  const syncAll = async (): Promise<void> => {
    for (const fd of fds) await syncfs(fd);
  };
  return {
    wrote(bytes) {
      pending += bytes;
      if (pending < EARLY_BYTES || early !== undefined || failed !== undefined) return;
      pending = 0;
      early = syncAll()
        .catch((error: unknown) => {
          failed = { error };
        })
        .finally(() => {
          early = undefined;
        });
    },
    async finish() {
      await early;
      if (failed !== undefined) throw failed.error;
      await syncAll();
    },
    [Symbol.dispose]() {
      // An early sync still uses the descriptors. Nothing was written through them that a close could lose.
      const close = (): void => {
        for (const fd of fds.splice(0)) closeSync(fd);
      };
      if (early === undefined) close();
      else void early.finally(close);
    },
  };
}

/**
 * Puts all that was done below `folder` on disk where a later change could come there before it. Elsewhere it does
 * nothing: what comes later goes later.
 */
export async function settleOrder(folder: string): Promise<void> {
  if (keepsOrder(folder)) return;
  using all = dataSync([folder]);
  await all.finish();
}

/**
 * Puts on disk what the driver did where its home is another filesystem than the root, which may bring it there long after what
 * is on record in the root, or not before a power cut. Two looks and nothing else where both are one.
 */
export async function settleDriver(root: DataRoot, driver: string): Promise<void> {
  const home = root.driverHome(driver);
  const device = statSync(home, { throwIfNoEntry: false })?.dev;
  if (device === undefined || device === statSync(root.path).dev) return;
  using all = dataSync([home]);
  await all.finish();
}
