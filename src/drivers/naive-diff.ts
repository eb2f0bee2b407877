/**
 * Differences for drivers, and cases, in which nothing but the two trees tells them: both layers are mounted and compared,
 * which costs their size, or what a guide names where the driver has one.
 */

import { withRoot } from '../linux/open-directory.ts';
import { lstatIfAny } from '../linux/stat.ts';
import { compareTrees, compareTreesWithLinks, type Guide } from './compare-trees.ts';
import type { Change, GraphDriver } from './driver.ts';
import { SizeSum } from './tree-size.ts';

/** What is asked of a driver here. */
type Mounts = Pick<GraphDriver, 'get'>;

/** Gives `compare` a guide for two mounted layers, if there is one, and from when on their times say too little, if they ever do. */
export type Guided = <T>(
  layer: string,
  base: string,
  compare: (guide: Guide | undefined, doubtfulFrom?: bigint) => T,
) => Promise<T>;

const WITHOUT: Guided = async (_layer, _base, compare) => compare(undefined);

/** The changes of a layer against another one, or against nothing. */
export async function naiveChanges(
  driver: Mounts,
  id: string,
  parent: string | undefined,
  guided = WITHOUT,
): Promise<Change[]> {
  await using layer = await driver.get(id);
  return await against(driver, layer.path, parent, guided, compareTrees);
}

async function against(
  driver: Mounts,
  layer: string,
  parent: string | undefined,
  guided: Guided,
  compare: typeof compareTrees,
): Promise<Change[]> {
  if (parent === undefined) return compare(layer, undefined);
  await using base = await driver.get(parent);
  return await guided(layer, base.path, (guide, doubtfulFrom) =>
    compare(layer, base.path, guide, doubtfulFrom),
  );
}

/**
 * The same as an uncompressed layer tar. The layer stays mounted until the stream ends or is left. `warn` receives a
 * line on each file that cannot be part of a layer.
 */
export async function* naiveDiff(
  driver: Mounts,
  id: string,
  parent: string | undefined,
  warn: (message: string) => void,
  guided = WITHOUT,
): AsyncGenerator<Buffer> {
  await using layer = await driver.get(id);
  // Loaded here because few commands pack anything.
  const { packPaths, packTree } = await import('../archive/pack.ts');
  if (parent === undefined) {
    yield* packTree(layer.path, { warn });
    return;
  }
  const changes = await against(driver, layer.path, parent, guided, compareTreesWithLinks);
  yield* packPaths(layer.path, changes, { warn });
}

/** The bytes of what a layer adds or modifies. */
export async function naiveDiffSize(
  driver: Mounts,
  id: string,
  parent: string | undefined,
  guided = WITHOUT,
): Promise<number> {
  await using layer = await driver.get(id);
  const changes = await against(driver, layer.path, parent, guided, compareTrees);
  const sum = new SizeSum();
  withRoot(layer.path, (fd) => {
    for (const change of changes) {
      const stat = change.kind === 'deleted' ? undefined : lstatIfAny(fd, change.path.subarray(1));
      if (stat !== undefined) sum.add(stat);
    }
  });
  return sum.bytes;
}
