/** A subject, ready to be measured: its store, its engine with the image in it, and what every job does with them. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { syncFilesystemOf } from '../../../src/linux/sync.ts';
import type { Sample } from '../schema.ts';
import { makeStore } from '../stores/make-store.ts';
import { slowedStore } from '../stores/slowed.ts';
import type { Store } from '../stores/store.ts';
import { cgroupFlags } from './cgroups.ts';
import { openDocker } from './docker-engine.ts';
import { type Engine, runEngine } from './engine.ts';
import { type ImagePlan, type Layer, writeArchive, writeTree } from './images.ts';
import { type Metered, startMeter } from './meter.ts';
import { openPodman } from './podman-engine.ts';
import { type ContainerOptions, openSession, type Session } from './session.ts';
import type { SubjectPlan } from './subjects.ts';
import type { Tools } from './tools.ts';
import { ROOT } from './trees.ts';
import { openTsengine } from './tsengine-engine.ts';

/** What all subjects of a block share. */
export interface RigOptions {
  readonly images: string;
  /** A folder on a tmpfs with a short path. */
  readonly work: string;
  readonly size: number;
  readonly owner: number;
  readonly tools: Tools;
  /** The image; none for work that goes without an engine. */
  readonly image: ImagePlan | undefined;
  /** Its archive, and that of the image that containers of a subject without a driver have. */
  readonly archive: string | undefined;
  readonly emptyArchive: string | undefined;
  /** What containers find at `/mounted`, on a volume of the store. */
  readonly mounted: Layer | undefined;
}

/** A value, and what was counted beside it. */
export type Reading = Omit<Sample, 'at'>;

/** See above. Disposing of it stops the engine and takes the store away. */
export interface Rig extends AsyncDisposable {
  readonly plan: SubjectPlan;
  readonly store: Store;
  readonly work: string;
  readonly tools: Tools;
  /** Fails where the block has no image. */
  engine(): Engine;
  /** How containers are made. */
  container(): ContainerOptions;
  /** A container of the image with the program in it. What an earlier one changed is as it was. */
  open(): Promise<Session>;
  /** Says that a container changes files of the image: of a subject without a driver they are made anew then. */
  changes(): void;
  /** Has all on disk and drops what is cached. */
  dropCaches(): Promise<void>;
  /** Does something between two looks at the devices and the machine, the store on disk at both. */
  metered<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly metered: Metered }>;
  /** Bytes taken of the store, all that was written on disk. */
  used(): Promise<number>;
}

/** Drops the page cache and what is remembered of directories and files, of the whole machine. */
export function dropKernelCaches(): void {
  writeFileSync('/proc/sys/vm/drop_caches', '3');
}

/** Makes it. Fails in one line with what cannot be had; nothing is left then. */
export async function openRig(plan: SubjectPlan, options: RigOptions): Promise<Rig> {
  const closing = new AsyncDisposableStack();
  try {
    const { images, work, size, owner, tools, image } = options;
    mkdirSync(work, { recursive: true });
    const made = closing.use(await makeStore(plan.store, { images, work, size, owner }));
    const store = plan.variant === 'slowed' ? closing.use(slowedStore(made, `${work}/slowed`)) : made;
    const engine = image === undefined ? undefined : closing.use(await openEngine(plan, store, work));
    if (engine !== undefined) await load(engine, plan, options);
    const volumes = volumesOf(plan, store, options);
    let isChanged = false;
    const container = (): ContainerOptions => ({
      image: imageName(plan, image),
      ...{ tools, volumes, flags: cgroupFlags(owner) },
    });
    const mustHaveEngine = (): Engine => {
      if (engine === undefined) throw new Error('this block has no image');
      return engine;
    };
    await store.sync();
    return {
      plan,
      store,
      work,
      tools,
      engine: mustHaveEngine,
      container,
      open: async () => {
        if (isChanged && plan.kind === 'raw' && image !== undefined) {
          fillVolume(`${store.path}/volume`, image);
          await store.sync();
        }
        isChanged = false;
        return await openSession(mustHaveEngine(), container());
      },
      changes: () => {
        isChanged = true;
      },
      dropCaches: async () => {
        await store.sync();
        dropKernelCaches();
      },
      metered: async (task) => {
        await store.sync();
        const stop = startMeter(store.devices);
        const result = await task();
        await store.sync();
        return { result, metered: stop() };
      },
      used: async () => {
        await store.sync();
        return store.used();
      },
      [Symbol.asyncDispose]: () => closing.disposeAsync(),
    };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

const EMPTY = 'tsengine-bench-empty';

/** The image of containers that see their files on a volume. */
export function emptyImage(base: Layer): ImagePlan {
  return { name: EMPTY, layers: [base] };
}

/** A subject without a driver has its files on a volume, and its container's root is next to nothing. */
function imageName(plan: SubjectPlan, image: ImagePlan | undefined): string {
  return plan.kind === 'raw' ? EMPTY : (image?.name ?? EMPTY);
}

async function openEngine(plan: SubjectPlan, store: Store, work: string): Promise<Engine> {
  const { storageOptions } = store;
  // Of a subject without a driver: vfs runs on every filesystem, and adds nothing to a volume.
  const driver = plan.driver ?? 'vfs';
  const options = { driver, dataRoot: `${store.path}/root`, work: `${work}/engine`, storageOptions };
  switch (plan.engine) {
    case 'docker':
      return await openDocker(options);
    case 'podman':
      return openPodman(options);
    case 'tsengine':
      return openTsengine(options);
  }
}

async function load(engine: Engine, plan: SubjectPlan, options: RigOptions): Promise<void> {
  const archive = plan.kind === 'raw' ? options.emptyArchive : options.archive;
  if (archive !== undefined) await runEngine(engine, 'load', '-q', '-i', archive);
}

function volumesOf(plan: SubjectPlan, store: Store, { image, mounted }: RigOptions): Record<string, string> {
  const volumes: Record<string, string> = {};
  if (plan.kind === 'raw' && image !== undefined) {
    fillVolume(`${store.path}/volume`, image);
    volumes[ROOT] = `${store.path}/volume/bench`;
  }
  if (mounted !== undefined) {
    writeTree([mounted], `${store.path}/mounted`);
    volumes['/mounted'] = `${store.path}/mounted`;
  }
  return volumes;
}

/** Makes the files of the image below a folder, anew, but for the layer that every image begins with. */
function fillVolume(folder: string, image: ImagePlan): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(`${folder}/bench`, { recursive: true });
  writeTree(image.layers.slice(1), folder);
}

/** Writes the archives that `openRig` loads into a folder, and has them on disk. */
export async function writeArchives(
  image: ImagePlan | undefined,
  tools: Tools,
  folder: string,
): Promise<Pick<RigOptions, 'archive' | 'emptyArchive'>> {
  if (image === undefined) return { archive: undefined, emptyArchive: undefined };
  const [archive, emptyArchive] = [`${folder}/image.tar`, `${folder}/empty.tar`];
  writeArchive(image, tools.environment, archive);
  writeArchive(emptyImage(tools.base), tools.environment, emptyArchive);
  await syncFilesystemOf(folder);
  return { archive, emptyArchive };
}
