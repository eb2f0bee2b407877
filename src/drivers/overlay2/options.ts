import { TsengineError } from '../../errors.ts';
import type { CreateOptions, DriverContext } from '../driver.ts';
import type { LayerQuotas } from '../layer-quotas.ts';
import {
  badOption,
  parseBool,
  parseSize,
  requestedQuota,
  SIZE_OPTION,
  unknownOption,
} from '../storage-options.ts';

const OVERRIDE = 'overlay2.override_kernel_check';
const SIZE = 'overlay2.size';

/** Reads the engine's `--storage-opt` values for overlay2. Gives the size that containers have unless they say another; 0 is none. */
export function readEngineOptions(context: DriverContext): number {
  let size = 0;
  for (const [key, value] of context.options) {
    switch (key.toLowerCase()) {
      case OVERRIDE:
        parseBool(key, value);
        context.warn(`${key} has no effect: what the kernel can do is tried, not told from its version`);
        break;
      case SIZE:
        size = parseSize(SIZE, value);
        break;
      default:
        throw unknownOption('overlay2', key, [OVERRIDE, SIZE]);
    }
  }
  return size;
}

/** Refuses `overlay2.size` where no filesystem keeps it. Docker's words begin it; it takes xfs alone, we ext4 as well. */
export function checkDefaultSize(size: number, quotas: LayerQuotas): void {
  if (size === 0 || quotas.available) return;
  throw badOption(
    `Storage Option overlay2.size not supported. Filesystem does not support Project Quota: ${quotas.wayOut}`,
  );
}

/** How many bytes a container may write; 0 is no limit. Refuses what cannot be kept, in Docker's words. */
export function sizeOf(options: CreateOptions | undefined, byDefault: number, quotas: LayerQuotas): number {
  const quota = requestedQuota(options, (key) => `Unknown option ${key}`);
  if (quota === undefined) return byDefault;
  if (!quotas.available) {
    throw new TsengineError(
      'InvalidParameter',
      `--storage-opt is supported only for overlay over xfs with 'pquota' mount option, or ext4 with 'prjquota': ${quotas.wayOut}`,
    );
  }
  return parseSize(SIZE_OPTION, quota.text);
}

/** An image layer takes no options at all. */
export function refuseImageLayerOptions(options: CreateOptions | undefined): void {
  if (Object.keys(options?.storageOptions ?? {}).length > 0) {
    throw new TsengineError('InvalidParameter', '--storage-opt size is only supported for ReadWrite Layers');
  }
}
