/** What there is: kernels to be had, and entries of the cache. Nothing is fetched or made for it. */
import { lstatSync, readdirSync } from 'node:fs';
import { release as hostRelease } from 'node:os';
import { join } from 'node:path';
import { hasErrno } from '../errors.ts';
import { pathExists } from '../linux/files.ts';
import { LabCache, type ListedEntry } from './cache.ts';
import type { LabContext } from './context.ts';
import { debianReleases, kernelPlan } from './kernels.ts';
import { supersededEntries } from './superseded.ts';

/** A kernel that machines can have. */
export interface KernelListing {
  /** What `--kernel` takes. */
  readonly name: string;
  readonly source: string;
  /** `uname -r` where it is known without asking the mirror; else empty. */
  readonly release: string;
  /** `ready`, `to be fetched`, or why it cannot be had. */
  readonly state: string;
}

/** An entry of the cache. */
export interface CacheListing extends Pick<ListedEntry['record'], 'kind' | 'made' | 'details'> {
  readonly name: string;
  /** Space that it takes on its disk. */
  readonly bytes: number;
}

const CONTEXT: LabContext = { progress: () => undefined, signal: undefined };

/** The host's own kernel, Debian's, and those that users brought and the cache still has. */
export function listKernels(): readonly KernelListing[] {
  const cache = new LabCache(CONTEXT);
  const debian = debianReleases.map(({ name, suite }): KernelListing => {
    const entry = cache.has(kernelPlan(name, cache, CONTEXT));
    const release = entry?.record.details.release ?? '';
    return { name, source: `Debian ${suite}`, release, state: entry ? 'ready' : 'to be fetched' };
  });
  const superseded = new Set(supersededEntries(cache, CONTEXT));
  const own = Map.groupBy(
    cache.list().filter(({ record }) => record.kind === 'kernel' && record.label.startsWith('own-')),
    ({ record }) => record.details.source ?? '',
  );
  const files = [...own].map(([source, entries]): KernelListing => {
    // One is made for each build of a kernel that was started: of those that are not it any more the last.
    const current = entries.find(({ name }) => !superseded.has(name));
    const last = entries.reduce((a, b) => (a.record.made < b.record.made ? b : a));
    const release = (current ?? last).record.details.release ?? '';
    const state = current ? 'ready' : pathExists(source) ? 'has changed' : 'file is gone';
    return { name: source, source: 'a file', release, state };
  });
  const image = `/boot/vmlinuz-${hostRelease()}`;
  const state = pathExists(image) ? 'ready' : `no ${image}`;
  return [{ name: 'host', source: 'this machine', release: hostRelease(), state }, ...debian, ...files];
}

/** The entries of the cache, by name. */
export function listCache(): readonly CacheListing[] {
  return withSizes(new LabCache(CONTEXT).list());
}

/** The entries with what they take. One that somebody removes meanwhile is left out. Exported for its test. */
export function withSizes(entries: readonly ListedEntry[]): readonly CacheListing[] {
  return entries.flatMap(({ name, folder, record: { kind, made, details } }) => {
    const bytes = diskUse(folder);
    return bytes === undefined ? [] : [{ name, kind, made, details, bytes }];
  });
}

/** Removes an entry of the cache. */
export function removeFromCache(name: string): void {
  new LabCache(CONTEXT).remove(name);
}

/**
 * Removes what no machine is using: of all entries, or of those that nobody would ask for any more (superseded.ts). Gives the
 * names of the removed, and of those that are in use.
 */
export function removeUnused(which: 'all' | 'superseded'): {
  readonly removed: readonly string[];
  readonly kept: readonly string[];
} {
  const cache = new LabCache(CONTEXT);
  const names = which === 'all' ? cache.list().map(({ name }) => name) : supersededEntries(cache, CONTEXT);
  return cache.removeUnused(names);
}

/** Bytes of a disk in blocks, as stat(2) counts them. */
const BLOCK = 512;

/** What a folder takes on its disk: images are sparse files. `undefined` when it goes while it is looked at. */
function diskUse(folder: string): number | undefined {
  try {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return names.reduce((sum, name) => {
      const found = lstatSync(join(folder, name), { throwIfNoEntry: false });
      return sum + (found?.blocks ?? 0) * BLOCK;
    }, 0);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
