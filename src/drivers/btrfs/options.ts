/** The storage options of btrfs, in Docker's words. */
import { TsengineError } from '../../errors.ts';
import { sizeText } from '../../size-text.ts';
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
export interface BtrfsOptions {
  /** The least that a container may be limited to, in bytes; 0 is no such rule. With one the filesystem counts from the start. */
  readonly minSpace: number;
}

const MIN_SPACE = 'btrfs.min_space';

/** Reads the engine's `--storage-opt` values. */
export function readEngineOptions({ options }: Pick<DriverContext, 'options'>): BtrfsOptions {
  let minSpace = 0;
  for (const [key, value] of options) {
    if (key.toLowerCase() !== MIN_SPACE) throw unknownOption('btrfs', key, [MIN_SPACE]);
    minSpace = parseSize(MIN_SPACE, value);
  }
  return { minSpace };
}

/** What a container's `--storage-opt size` limits it to, in bytes; `undefined` when it has none. */
export function requestedSize(
  options: CreateOptions | undefined,
  { minSpace }: BtrfsOptions,
): number | undefined {
  const quota = requestedQuota(options, (key) => `Unknown option ${key}`);
  if (quota === undefined) return undefined;
  const size = parseSize(SIZE_OPTION, quota.text);
  if (size <= 0) throw badOption(`btrfs: invalid storage size: ${quota.text}: ${NO_LIMIT}`);
  if (size < minSpace) {
    throw new TsengineError(
      'InvalidParameter',
      `btrfs: storage size cannot be less than ${sizeText(minSpace)} (${MIN_SPACE}): give more than size=${quota.text}`,
    );
  }
  return size;
}
