/** The storage options of zfs, in Docker's words. */
import type { CreateOptions, DriverContext } from '../driver.ts';
import {
  badOption,
  NO_LIMIT,
  parseSize,
  requestedQuota,
  SIZE_OPTION,
  unknownOption,
} from '../storage-options.ts';

/** The engine's. */
export interface ZfsOptions {
  /** The dataset below which layers are; `undefined` for the one on which the data root is. */
  readonly fsName: string | undefined;
}

/** What a dataset may be called. Source: zfs(8), "ZFS File System Hierarchy". A blank would be one, and breaks what reads lists. */
const DATASET = /^[a-zA-Z][a-zA-Z0-9_.:-]*(\/[a-zA-Z0-9_.:-]+)*$/;

const FSNAME = 'zfs.fsname';

/** Reads the engine's `--storage-opt` values. */
export function readEngineOptions({ options }: Pick<DriverContext, 'options'>): ZfsOptions {
  let fsName: string | undefined;
  for (const [key, value] of options) {
    if (key.toLowerCase() !== FSNAME) throw unknownOption('zfs', key, [FSNAME]);
    if (!DATASET.test(value)) {
      throw badOption(
        `zfs.fsname: ${JSON.stringify(value)} is no name of a dataset: give one as zfs list shows it, such as tank/tsengine`,
      );
    }
    fsName = value;
  }
  return { fsName };
}

/** What `--storage-opt size` limits a layer to, in bytes; `undefined` when it has no limit. */
export function requestedSize(options: CreateOptions | undefined): number | undefined {
  const quota = requestedQuota(options, (key) => `Unknown option ${key}`);
  if (quota === undefined) return undefined;
  const size = parseSize(SIZE_OPTION, quota.text);
  if (size <= 0) throw badOption(`zfs: invalid storage size: ${quota.text}: ${NO_LIMIT}`);
  return size;
}
