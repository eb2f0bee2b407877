/** Which features of kernels and filesystems are tried, and trying all of them. */
import { mkdirSync } from 'node:fs';
import { errorMessage, hasErrno } from '../../errors.ts';
import { makeBacking } from './backings.ts';
import { type Attempt, tryFeature } from './feature.ts';
import { filesystemFeatures } from './features-filesystem.ts';
import { kernelFeatures } from './features-kernel.ts';
import { overlayFeatures } from './features-overlay.ts';
import type { Backing, Feature } from './schema.ts';

const [typed, ...others] = filesystemFeatures;

/** In the order in which they are shown: those of the filesystem around those of overlayfs over it. */
const ATTEMPTS: readonly Attempt[] = [...(typed === undefined ? [] : [typed]), ...overlayFeatures, ...others];

/** The one that belongs to the kernel, whatever the filesystem. */
export const KERNEL_FEATURE = 'deferred removal';

/** The names of all features, in the order in which they are shown. */
export const FEATURE_NAMES: readonly string[] = [...ATTEMPTS.map(({ name }) => name), KERNEL_FEATURE];

/** Tries everything on a filesystem that is made for it; what belongs to the kernel alone where `backing` is null. */
export async function probeFeatures(backing: Backing | null, work: string): Promise<Feature[]> {
  if (backing === null) return kernelFeatures();
  const features: Feature[] = [];
  try {
    using mounted = await makeBacking(backing, { work });
    for (const [index, attempt] of ATTEMPTS.entries()) {
      const own = `${work}/feature-${index}`;
      mkdirSync(own);
      const folder = `${mounted.path}/feature-${index}`;
      mkdirSync(folder);
      features.push(await tryFeature(attempt, { folder, backing, work: own }));
    }
    return features;
  } catch (error) {
    const reason = hasErrno(error, 'EROFS') ? 'nothing can be written there' : errorMessage(error);
    return ATTEMPTS.map(({ name }) => ({ name, backing, answer: 'unknown', reason }));
  }
}
