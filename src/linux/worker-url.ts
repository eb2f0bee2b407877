/** The entry points of worker threads: their paths under `src/`, without an extension. scripts/build.ts bundles each. */
export type WorkerEntry = 'archive/unpack-worker';

/**
 * Where a worker's entry point is, for `new Worker(url)`: the source when the sources run, its bundle when the bundle
 * runs. Works because this file in the sources (`src/linux/`) and whatever file of the bundle holds this function
 * (`dist/cli/`, `dist/archive/`) are exactly one folder below their root.
 */
export function workerUrl(entry: WorkerEntry): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`../${entry}.${extension}`, import.meta.url);
}
