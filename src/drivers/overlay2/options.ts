import { TsengineError } from '../../errors.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { lstat } from '../../linux/stat.ts';
import { fsName, statfs } from '../../linux/statfs.ts';
import type { CreateOptions, DriverContext } from '../driver.ts';
import { parseBool, parseSize, requestedQuota } from '../storage-options.ts';

/**
 * Reads the engine's `--storage-opt` values for overlay2. Refuses what Docker refuses, in its words. `folder` is one on
 * the filesystem that will hold the layers.
 */
export function checkEngineOptions(context: DriverContext, folder: string): void {
  for (const [key, value] of context.options) {
    switch (key.toLowerCase()) {
      case 'overlay2.override_kernel_check':
        parseBool(key, value);
        context.warn(`${key} has no effect: what the kernel can do is tried, not told from its version`);
        break;
      case 'overlay2.size':
        parseSize(value);
        refuseDefaultQuota(folder);
        break;
      default:
        throw new TsengineError('InvalidParameter', `overlay2: unknown option ${key}`);
    }
  }
}

function refuseDefaultQuota(home: string): never {
  const backing = fsName(statfs(home).magic);
  if (backing !== 'xfs') {
    throw new TsengineError(
      'InvalidParameter',
      `Storage Option overlay2.size only supported for backingFS XFS. Found ${backing}`,
    );
  }
  throw noQuota(
    home,
    'Storage Option overlay2.size not supported. Filesystem does not support Project Quota: mount it with pquota',
  );
}

/** Refuses a container's options that cannot be kept. */
export function checkLayerOptions(home: string, options: CreateOptions | undefined): void {
  const quota = requestedQuota(options, (key) => `Unknown option ${key}`);
  if (quota === undefined) return;
  throw noQuota(home, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
}

/** An image layer takes no options at all. */
export function refuseImageLayerOptions(options: CreateOptions | undefined): void {
  if (Object.keys(options?.storageOptions ?? {}).length > 0) {
    throw new TsengineError('InvalidParameter', '--storage-opt size is only supported for ReadWrite Layers');
  }
}

/** `words` where the filesystem is at fault; where it has project quotas, that this version does not set them. */
function noQuota(home: string, words: string): TsengineError {
  const { devMajor, devMinor } = lstat(home);
  const mounted = readMountInfo().find((entry) => entry.major === devMajor && entry.minor === devMinor);
  const able = mounted?.type === 'xfs' && /(^|,)(pquota|prjquota)(,|$)/.test(mounted.superOptions);
  if (!able) return new TsengineError('InvalidParameter', words);
  return new TsengineError(
    'NotImplemented',
    'overlay2: this version of tsengine sets no project quotas: leave --storage-opt size out',
  );
}
