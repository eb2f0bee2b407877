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

/** The names of those of a filesystem, or, for null, of the kernel alone. */
export function featureNames(backing: Backing | null): readonly string[] {
  return backing === null ? [KERNEL_FEATURE] : ATTEMPTS.map(({ name }) => name);
}

/** Why nothing is known of features of a filesystem that can only be read: no other run will know more. */
export const NOTHING_WRITTEN = 'nothing can be written there';

/** Told before a feature is tried, with null before the filesystem is made, and after it was tried. */
export interface FeatureListener {
  tries(name: string | null): void;
  tried(feature: Feature): void;
}

/** How far it has come. */
export interface Trying {
  /** What is being tried; null while the filesystem is made. */
  readonly name: string | null;
  readonly tried: Feature[];
}

/**
 * All features of a filesystem of which the trying came to no end: what was not answered is unknown, for this reason, and marked as
 * what it may have died of. What a machine told of last need not be that: it may have had no time to tell of the next.
 */
export function brokenFeatures(
  backing: Backing | null,
  { name: last, tried }: Trying,
  why: string,
): Feature[] {
  const reason = `${why}; the last that it told of was: ${last ?? 'making the filesystem'}`;
  return featureNames(backing).map(
    (name) =>
      tried.find((feature) => feature.name === name) ?? {
        ...{ name, backing, answer: 'unknown', reason },
        died: true,
      },
  );
}

/** Tries everything on a filesystem that is made for it; what belongs to the kernel alone where `backing` is null. The folders are those of `BackingOptions`. */
export async function probeFeatures(
  backing: Backing | null,
  { work, images }: { readonly work: string; readonly images: string },
  listener: FeatureListener,
): Promise<Feature[]> {
  if (backing === null) {
    listener.tries(KERNEL_FEATURE);
    return kernelFeatures();
  }
  const features: Feature[] = [];
  try {
    listener.tries(null);
    using mounted = await makeBacking(backing, { work, images });
    for (const [index, attempt] of ATTEMPTS.entries()) {
      const own = `${work}/feature-${index}`;
      mkdirSync(own);
      const folder = `${mounted.path}/feature-${index}`;
      mkdirSync(folder);
      listener.tries(attempt.name);
      const feature = await tryFeature(attempt, { folder, backing, work: own, images });
      listener.tried(feature);
      features.push(feature);
    }
    return features;
  } catch (error) {
    const reason = hasErrno(error, 'EROFS') ? NOTHING_WRITTEN : errorMessage(error);
    return ATTEMPTS.map(({ name }) => ({ name, backing, answer: 'unknown', reason }));
  }
}
