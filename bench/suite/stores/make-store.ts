/** Making a store of any kind. */
import { makeFilesystemStore } from './filesystem.ts';
import type { Store, StoreKind, StoreOptions } from './store.ts';
import { makeThinPoolStore } from './thin-pool.ts';
import { makeZpoolStore } from './zpool.ts';

/** Makes one. Must be called in mount and pid namespaces that the process has to itself. Fails in one line where it cannot. */
export async function makeStore(kind: StoreKind, options: StoreOptions): Promise<Store> {
  switch (kind) {
    case 'thin-pool':
      return await makeThinPoolStore(options);
    case 'zpool':
      return await makeZpoolStore(options);
    default:
      return makeFilesystemStore(kind, options);
  }
}
