/** What a driver does for layers, without an engine or a process around it; tinybench takes the times. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { Bench, type FnOptions } from 'tinybench';
import type { GraphDriver } from '../../../../src/drivers/driver.ts';
import { driverFactory } from '../../../../src/drivers/registry.ts';
import { parseStorageOption } from '../../../../src/drivers/storage-options.ts';
import { randomBytes } from '../../../../src/linux/random.ts';
import { type Layer, layerTar, writeTree } from '../images.ts';
import type { Rig } from '../rig.ts';
import { smallFiles } from '../trees.ts';
import type { Job, Measured, Point } from './job.ts';

/** How often each is done in one run of a job: each time is a sample. */
const TIMES = 5;
/** Changed files in a layer that is compared. */
const CHANGES = 100;
/** Layers of a build, and files of the image that it begins with: vfs copies them each time, and others see that they are there. */
const [BUILD, BASE] = [50, 250];

/** The driver on a folder of its own in the rig's store, opened once. */
const opened = new WeakMap<Rig, Promise<GraphDriver>>();

async function driverOf(rig: Rig): Promise<GraphDriver> {
  const found = opened.get(rig) ?? open(rig);
  opened.set(rig, found);
  return await found;
}

async function open(rig: Rig): Promise<GraphDriver> {
  const name = rig.plan.driver ?? '';
  const factory = await driverFactory(name);
  const home = `${rig.store.path}/root/${name}`;
  mkdirSync(`${rig.store.path}/root`, { recursive: true });
  return await factory.open({
    home,
    runHome: `${rig.work}/run/${name}`,
    options: rig.store.storageOptions.map(parseStorageOption),
    warn: () => undefined,
  });
}

/** Only drivers of ours. */
function isOurs({ plan }: Pick<Rig, 'plan'>): boolean {
  return plan.kind === 'driver';
}

function newId(): string {
  return randomBytes(32).toString('hex');
}

/** Milliseconds of each time. */
async function times(work: () => Promise<void>, hooks: FnOptions = {}): Promise<readonly number[]> {
  const bench = new Bench({ iterations: TIMES, time: 0, warmup: false, retainSamples: true, throws: true });
  bench.add('work', work, hooks);
  const [task] = await bench.run();
  const samples = task !== undefined && 'latency' in task.result ? task.result.latency.samples : undefined;
  if (samples === undefined) throw new Error('tinybench kept no samples');
  return samples;
}

async function* piecesOf(layer: Layer): AsyncGenerator<Buffer> {
  for (const piece of layerTar(layer)) yield Buffer.from(piece);
}

/** So many layers, each with a file, one on the other; made once for a rig. Gives the uppermost. */
const stacks = new WeakMap<Rig, Promise<string>>();

async function stackOf(rig: Rig, driver: GraphDriver, count: number): Promise<string> {
  const make = async (): Promise<string> => {
    let parent: string | undefined;
    for (let index = 0; index < count; index++) {
      const id = newId();
      await driver.create(id, parent);
      await driver.applyDiff(id, parent, piecesOf([{ kind: 'file', path: `little-${index}`, bytes: 100 }]));
      parent = id;
    }
    return parent ?? '';
  };
  const found = stacks.get(rig) ?? make();
  stacks.set(rig, found);
  return await found;
}

function samples(workload: string, point: Point, values: readonly number[]): Measured[] {
  return values.map((value) => ({ workload, point, reading: { value } }));
}

/** What is measured over so many layers, and over a tree. */
const BASIC = ['create', 'get', 'put', 'remove'] as const;

/** Create, get, put, remove over a layer, and what else is done over so many layers. */
export function layersJob(layers: number): Job {
  const point: Point = { layers };
  return {
    id: `layers-${layers}`,
    series: [
      ...BASIC.map((name) => ({ workload: `layers.${name}`, point })),
      ...['apply', 'diff', 'changes'].map((name) => ({ workload: `layers.${name}.deep`, point })),
    ],
    means: isOurs,
    run: async (rig) => {
      const driver = await driverOf(rig);
      const top = await stackOf(rig, driver, layers);
      const basic = await basicTimes(driver, top);
      const applied: string[] = [];
      const apply = await times(async () => {
        const id = newId();
        applied.push(id);
        await driver.create(id, top);
        await driver.applyDiff(id, top, piecesOf(smallFiles(CHANGES, 1024)));
      });
      const id = newId();
      await driver.createReadWrite(id, top);
      {
        await using mounted = await driver.get(id);
        writeTree([smallFiles(CHANGES, 1024)], mounted.path);
      }
      const { changes, diff } = await changeTimes(driver, id, top);
      for (const one of [id, ...applied]) await driver.remove(one);
      return [
        ...BASIC.flatMap((name, index) => samples(`layers.${name}`, point, basic[index] ?? [])),
        ...samples('layers.apply.deep', point, apply),
        ...samples('layers.diff.deep', point, diff),
        ...samples('layers.changes.deep', point, changes),
      ];
    },
  };
}

/** The times of `BASIC`, in its order, over a layer. */
async function basicTimes(driver: GraphDriver, top: string): Promise<readonly (readonly number[])[]> {
  const ids: string[] = [];
  const create = await times(async () => {
    const id = newId();
    ids.push(id);
    await driver.createReadWrite(id, top);
  });
  const [id = ''] = ids;
  const get = await times(() => hold(driver, id), { afterEach: () => driver.put(id) });
  const put = await times(() => driver.put(id), { beforeEach: () => hold(driver, id) });
  const remove = await times(async () => {
    const id = ids.shift();
    if (id !== undefined) await driver.remove(id);
  });
  for (const left of ids) await driver.remove(left);
  return [create, get, put, remove];
}

/** How long it takes to tell what a layer changes, which must be `CHANGES` things or more. */
async function changeTimes(
  driver: GraphDriver,
  id: string,
  parent: string,
): Promise<{ readonly changes: readonly number[]; readonly diff: readonly number[] }> {
  const changes = await times(async () => {
    const found = await driver.changes(id, parent);
    if (found.length < CHANGES) throw new Error(`${found.length} changes were found of ${CHANGES}`);
  });
  const diff = await times(async () => {
    for await (const _ of driver.diff(id, parent));
  });
  return { changes, diff };
}

/** Gets a layer; the put is for who calls. */
async function hold(driver: GraphDriver, id: string): Promise<void> {
  await driver.get(id);
}

/** Applying a layer of so many files, and the changes over it. */
export function filesJob(files: number): Job {
  const point: Point = { files };
  const layer = (): Layer => smallFiles(files, 1024);
  return {
    id: `files-${files}`,
    series: [
      ...['apply', 'diff', 'changes'].map((name) => ({ workload: `layers.${name}`, point })),
      ...BASIC.map((name) => ({ workload: `layers.${name}.tree`, point })),
    ],
    means: isOurs,
    run: async (rig) => {
      const driver = await driverOf(rig);
      const base = newId();
      const apply = await once(async () => {
        await driver.create(base, undefined);
        await driver.applyDiff(base, undefined, piecesOf(layer()));
      });
      const init = newId();
      const top = newId();
      await driver.createReadWrite(init, base);
      await driver.createReadWrite(top, init);
      await change(driver, top, files);
      const { changes, diff } = await changeTimes(driver, top, init);
      const basic = await basicTimes(driver, base);
      for (const id of [top, init, base]) await driver.remove(id);
      return [
        ...samples('layers.apply', point, [apply]),
        ...samples('layers.diff', point, diff),
        ...samples('layers.changes', point, changes),
        ...BASIC.flatMap((name, index) => samples(`layers.${name}.tree`, point, basic[index] ?? [])),
      ];
    },
  };
}

async function once(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Writes over files here and there in a layer. */
async function change(driver: GraphDriver, id: string, files: number): Promise<void> {
  await using mounted = await driver.get(id);
  for (let index = 0; index < CHANGES; index++) {
    const file = Math.floor((index * files) / CHANGES);
    writeFileSync(`${mounted.path}/bench/small-0/${Math.floor(file / 100)}/${file}`, `changed ${index}`);
  }
}

/** A build: each step writes in a container layer, whose changes become a layer on which the next one stands. */
export const buildJob: Job = {
  id: 'build',
  series: [{ workload: 'layers.build', point: {} }],
  means: isOurs,
  run: async (rig) => {
    const driver = await driverOf(rig);
    const layers: string[] = [];
    const base = newId();
    await driver.create(base, undefined);
    await driver.applyDiff(base, undefined, piecesOf(smallFiles(BASE, 4096)));
    layers.push(base);
    const { result: ms, metered } = await rig.metered(() =>
      once(async () => {
        for (let step = 0; step < BUILD; step++)
          layers.push(await buildStep(driver, layers.at(-1) ?? '', step));
      }),
    );
    for (const id of layers.reverse()) await driver.remove(id);
    return [{ workload: 'layers.build', point: {}, reading: { value: ms, ...metered } }];
  },
};

async function buildStep(driver: GraphDriver, parent: string, step: number): Promise<string> {
  const [container, layer] = [newId(), newId()];
  await driver.createReadWrite(container, parent);
  {
    await using mounted = await driver.get(container);
    mkdirSync(`${mounted.path}/step-${step}`);
    for (let index = 0; index < 10; index++)
      writeFileSync(`${mounted.path}/step-${step}/${index}`, `step ${step}, file ${index}\n`.repeat(100));
    rmSync(`${mounted.path}/bench/small-0/0/${step}`);
  }
  await driver.create(layer, parent);
  await driver.applyDiff(layer, parent, driver.diff(container, parent));
  await driver.remove(container);
  return layer;
}

/** Lets go of what a rig's driver holds; of one that was not used nothing. */
export async function closeDriver(rig: Rig): Promise<void> {
  await (await opened.get(rig))?.cleanup();
}
