/** What a driver itself takes, without a process around it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { GraphDriver } from '../src/drivers/driver.ts';
import { naiveChanges } from '../src/drivers/naive-diff.ts';
import { driverFactory } from '../src/drivers/registry.ts';
import { WORK } from './peers/store.ts';

/** Milliseconds that the driver's own way takes, and those of a walk over both trees. */
export interface Compared {
  readonly changes: number;
  readonly walk: number;
}

/**
 * Compares both ways. `id` is the container's full id, in a data root that nobody works on now. Throws when the two ways find
 * different changes.
 */
export async function compareInProcess(driver: string, dataRoot: string, id: string): Promise<Compared> {
  return await withLayer(driver, dataRoot, id, async ({ opened, layer, parent }) => {
    const started = performance.now();
    const own = await opened.changes(layer, parent);
    const between = performance.now();
    const walked = await naiveChanges(opened, layer, parent);
    const ended = performance.now();
    if (own.length !== walked.length)
      throw new Error(`${driver} finds ${own.length} changes, the walk ${walked.length}`);
    return { changes: between - started, walk: ended - between };
  });
}

/** Milliseconds that so many gets and puts of the container's layer take, one after the other. */
export async function getInProcess(
  driver: string,
  dataRoot: string,
  id: string,
  times: number,
): Promise<number> {
  return await withLayer(driver, dataRoot, id, async ({ opened, layer }) => {
    const started = performance.now();
    for (let time = 0; time < times; time++) {
      await using _ = await opened.get(layer);
    }
    return performance.now() - started;
  });
}

interface ContainerLayer {
  readonly opened: GraphDriver;
  readonly layer: string;
  readonly parent: string;
}

async function withLayer<T>(
  driver: string,
  dataRoot: string,
  id: string,
  work: (one: ContainerLayer) => Promise<T>,
): Promise<T> {
  const mounts = `${dataRoot}/image/${driver}/layerdb/mounts/${id}`;
  const [layer = '', parent = ''] = ['mount-id', 'init-id'].map((name) =>
    readFileSync(`${mounts}/${name}`, 'utf8').trim(),
  );
  const runHome = mkdtempSync(`${WORK}/driver-`);
  try {
    const factory = await driverFactory(driver);
    const opened = await factory.open({
      home: `${dataRoot}/${driver}`,
      runHome,
      options: [],
      warn: () => {},
    });
    return await work({ opened, layer, parent });
  } finally {
    rmSync(runHome, { recursive: true, force: true });
  }
}
