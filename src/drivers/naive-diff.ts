/**
 * Differences for drivers, and cases, in which nothing but the two whole trees tells them: both layers are mounted and
 * compared, which costs their size.
 */
import { lstatIfAny } from '../linux/stat.ts';
import { compareTrees, compareTreesWithLinks } from './compare-trees.ts';
import { withRoot } from './directory.ts';
import type { Change, GraphDriver } from './driver.ts';
import { SizeSum } from './tree-size.ts';

/** What is asked of a driver here. */
type Mounts = Pick<GraphDriver, 'get'>;

/** The changes of a layer against another one, or against nothing. */
export async function naiveChanges(
  driver: Mounts,
  id: string,
  parent: string | undefined,
): Promise<Change[]> {
  await using layer = await driver.get(id);
  return await against(driver, parent, (base) => compareTrees(layer.path, base));
}

async function against(
  driver: Mounts,
  parent: string | undefined,
  compare: (base: string | undefined) => Change[],
): Promise<Change[]> {
  if (parent === undefined) return compare(undefined);
  await using base = await driver.get(parent);
  return compare(base.path);
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
): AsyncGenerator<Buffer> {
  await using layer = await driver.get(id);
  // Loaded here because few commands pack anything.
  const { packPaths, packTree } = await import('../archive/pack.ts');
  if (parent === undefined) {
    yield* packTree(layer.path, { warn });
    return;
  }
  const changes = await against(driver, parent, (base) => compareTreesWithLinks(layer.path, base));
  yield* packPaths(layer.path, changes, { warn });
}

/** The bytes of what a layer adds or modifies. */
export async function naiveDiffSize(driver: Mounts, id: string, parent: string | undefined): Promise<number> {
  await using layer = await driver.get(id);
  const changes = await against(driver, parent, (base) => compareTrees(layer.path, base));
  const sum = new SizeSum();
  withRoot(layer.path, (fd) => {
    for (const change of changes) {
      const stat = change.kind === 'deleted' ? undefined : lstatIfAny(fd, change.path.subarray(1));
      if (stat !== undefined) sum.add(stat);
    }
  });
  return sum.bytes;
}
