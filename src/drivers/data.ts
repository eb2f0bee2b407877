/**
 * Which driver's layers a data root holds, told from folder listings alone, so that no driver's code is loaded to find
 * out. The folders are Docker 20.10's.
 */
import { opendirSync } from 'node:fs';
import { hasErrno } from '../errors.ts';
import type { DriverName } from './driver.ts';
import { isLayerId } from './layer-id.ts';

/** Where each driver keeps one entry a layer, below its home. ZFS's and devicemapper's layers themselves live elsewhere. */
const LAYER_FOLDERS: Readonly<Record<DriverName, string>> = {
  overlay2: '',
  vfs: '/dir',
  btrfs: '/subvolumes',
  zfs: '/graph',
  aufs: '/diff',
  devicemapper: '/metadata',
};

/** Entries of devicemapper's `metadata` that are the pool's, not a layer's. */
const POOL_FILES: ReadonlySet<string> = new Set(['base', 'deviceset-metadata', 'transaction-metadata']);

/** Drivers for which the folder itself says it: they have an entry there only while a layer is mounted. */
const FOLDER_SAYS_IT: ReadonlySet<DriverName> = new Set(['zfs']);

/** Whether `home`, the folder of the driver `name` in a data root, holds at least one layer. Reads until it finds one. */
export function holdsLayers(name: DriverName, home: string): boolean {
  let folder: ReturnType<typeof opendirSync>;
  try {
    folder = opendirSync(`${home}${LAYER_FOLDERS[name]}`);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
  try {
    if (FOLDER_SAYS_IT.has(name)) return true;
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      if (isLayerId(entry.name) && !POOL_FILES.has(entry.name)) return true;
    }
    return false;
  } finally {
    folder.closeSync();
  }
}
