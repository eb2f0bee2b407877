/**
 * Opens a data root and wires everything together; the only file that knows all parts. What opening does is what every
 * command pays for: it reads the configuration, looks at the data root, and lists two folders for what a dead process
 * may have left. The driver is opened, and containers' code loaded, when something first needs them.
 */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import type { DriverContext, DriverName, GraphDriver } from '../drivers/driver.ts';
import { chooseDriver, DRIVER_NAMES, driverFactory, driversWithData } from '../drivers/registry.ts';
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import { listDirectory, pathExists } from '../linux/files.ts';
import { NODE_FLAGS } from '../node-flags.ts';
import type { ContainerService, Engine, EngineOptions } from './api/services.ts';
import { type EngineConfig, readConfig } from './config.ts';
import type { EmptyRoot } from './empty-root.ts';
import type { ImageContext, ImageUser } from './images/context.ts';
import { createImageLookup, createImageService } from './images/image-service.ts';
import { FileImageStore } from './images/image-store.ts';
import { type OpenLayerStore, openLayerStore } from './layers/layer-store.ts';
import { lazyContainers } from './lazy-containers.ts';
import { checkDriver, checkPlace, isNewRoot } from './new-root.ts';
import { ReferenceStore } from './references/reference-store.ts';
import { anyTemporaryFile, removeTemporaryFiles } from './replace-file.ts';
import { withReserve } from './reserve.ts';
import { type DataRoot, DEFAULT_DATA_ROOT, openDataRoot } from './root.ts';
import { removeStaleLocks } from './stale-locks.ts';

/** The hidden command that conmon runs when a container has ended; the container's id follows. */
export const EXIT_COMMAND = 'internal-exited';

/** Calls `make` once, at the first call. A failure is not remembered. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

/** Which driver serves the root. Looks no further than it must: data of one driver is an answer. */
async function driverNameOf(
  root: DataRoot,
  config: EngineConfig,
  context: (name: DriverName) => DriverContext,
): Promise<DriverName> {
  const { storageDriver } = config;
  const named = DRIVER_NAMES.find((name) => name === storageDriver);
  if (named !== undefined) return named;
  if (storageDriver === undefined || storageDriver === '') {
    const [only, ...more] = driversWithData(root.path);
    if (only !== undefined && more.length === 0) return only;
    if (only === undefined && root.readOnly) return driverOnRecord(root);
  }
  return (await chooseDriver({ dataRoot: root.path, name: storageDriver, context })).name;
}

/** Whose images a root without any layer is for: there is nothing to try out where nothing may be written. */
function driverOnRecord(root: DataRoot): DriverName {
  const present = DRIVER_NAMES.filter((name) => pathExists(root.imageDir(name)));
  const withImages = present.filter(
    (name) => new FileImageStore(root.imageDir(name), () => {}).ids().length > 0,
  );
  const [only, ...more] = withImages.length > 0 ? withImages : present.slice(0, 1);
  if (only !== undefined && more.length === 0) return only;
  throw new TsengineError(
    'NotFound',
    only === undefined
      ? `data root ${root.path} holds nothing of tsengine's or Docker's: name another --data-root`
      : `data root ${root.path} has images of ${[only, ...more].join(' and ')}: choose one with --storage-driver`,
  );
}

/** How conmon reaches us: the same Node, the same code and what is compiled of it, on the same roots. */
function exitCommand(root: DataRoot, driverName: string, options: EngineOptions): string[] {
  // This file is one folder below the root of the sources, and so is the bundle's file that holds it.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const main = new URL(`../cli/main.${extension}`, import.meta.url).pathname;
  const compiled = getCompileCacheDir();
  return [
    // The folder that Node was given is the one above.
    ...(compiled === undefined ? [] : ['/usr/bin/env', `NODE_COMPILE_CACHE=${dirname(compiled)}`]),
    process.execPath,
    ...NODE_FLAGS,
    decodeURIComponent(main),
    `--data-root=${root.path}`,
    `--exec-root=${root.execRoot}`,
    `--storage-driver=${driverName}`,
    ...(options.configFile === undefined ? [] : [`--config-file=${options.configFile}`]),
    ...(options.storageOpts ?? []).map((option) => `--storage-opt=${option}`),
    EXIT_COMMAND,
  ];
}

/** Opens the engine. Fails as `readConfig` and `openDataRoot` do, and when no driver can serve the root. */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  // As dockerd: what is made for containers must be readable for them, whatever mask the caller has.
  process.umask(0o022);
  const config = readConfig(options);
  const isNew = !config.readOnlyRoot && isNewRoot(config);
  await checkDriver(config, isNew, options);
  const empty = isNew && options.makesRoot === false ? await emptyRoot(config) : undefined;
  let root: DataRoot | undefined;
  const close = () => {
    root?.[Symbol.dispose]();
    empty?.[Symbol.dispose]();
  };
  try {
    root = await openRoot({ ...config, ...empty }, options);
    if (!root.readOnly && pathExists(`${root.stateDir}/stores`)) await attach(root, config);
    if (!root.readOnly && !isNew) await checkPlace(root, config, options);
    return {
      ...(await wire(root, config, options, empty !== undefined)),
      [Symbol.asyncDispose]: async () => close(),
    };
  } catch (error) {
    close();
    throw root === undefined ? error : await explained(error, root, config.storageDriver ?? '', options);
  }
}

/** The error with what is to be done where the data root's disk is the cause. */
async function explained(
  error: unknown,
  root: DataRoot,
  driverName: string,
  { onlyReads = false }: EngineOptions,
): Promise<unknown> {
  const { explainDisk } = await import('./disk-trouble.ts');
  return explainDisk(await explainedStore(error, root, driverName), { root, driverName, onlyReads });
}

/** Whether `driver setup` made a store for the driver. */
function hasStoreOf(root: DataRoot, driverName: string): boolean {
  return driverName !== '' && pathExists(`${root.stateDir}/stores/${driverName}`);
}

async function explainedStore(error: unknown, root: DataRoot, driverName: string): Promise<unknown> {
  if (!hasStoreOf(root, driverName)) return error;
  const { explainDriverStore } = await import('./driver-stores.ts');
  return await explainDriverStore(error, root, driverName);
}

/** Without a driver's name a store that cannot be attached is in the way: nobody knows whether layers are in it as well. */
async function attach(root: DataRoot, { storageDriver = '' }: EngineConfig): Promise<void> {
  const { attachDriverStores } = await import('./driver-stores.ts');
  if (storageDriver !== '') return await attachDriverStores(root, storageDriver);
  try {
    await attachDriverStores(root, undefined);
  } catch (error) {
    const others = driversWithData(root.path).map((name) => `-s ${name}`);
    if (others.length === 0 || !(error instanceof TsengineError)) throw error;
    throw new TsengineError(
      error.code,
      `${error.message}; or choose what else is there (${others.join(', ')})`,
      {
        cause: error,
      },
    );
  }
}

/** Which roots, and how they are opened. */
type RootChoice = Pick<EngineConfig, 'dataRoot' | 'execRoot' | 'readOnlyRoot'>;

async function emptyRoot({ dataRoot = DEFAULT_DATA_ROOT }: EngineConfig): Promise<EmptyRoot | undefined> {
  return (await import('./empty-root.ts')).emptyRootFor(dataRoot);
}

async function openRoot(
  { dataRoot, execRoot, readOnlyRoot }: RootChoice,
  { onlyReads = false }: EngineOptions,
): Promise<DataRoot> {
  if (!readOnlyRoot) return await openDataRoot({ dataRoot, execRoot, onlyReads });
  const { openReadOnlyRoot } = await import('./read-only-root.ts');
  return await openReadOnlyRoot({ dataRoot, execRoot });
}

async function wire(
  root: DataRoot,
  config: EngineConfig,
  options: EngineOptions,
  isEmpty: boolean,
): Promise<Omit<Engine, typeof Symbol.asyncDispose>> {
  const warn = options.warn ?? (() => {});
  const driverContext = (name: DriverName): DriverContext => ({
    home: root.driverHome(name),
    runHome: root.driverRunHome(name),
    options: config.storageOptions,
    readOnly: root.readOnly,
    warn,
  });
  const driverName = await driverNameOf(root, config, driverContext);
  const driver = once(async (): Promise<GraphDriver> => {
    const factory = await driverFactory(driverName);
    const context = driverContext(driverName);
    if (!hasStoreOf(root, driverName)) return await factory.open(context);
    const { openOnStore } = await import('./driver-stores.ts');
    return await openOnStore(root, factory, context);
  });

  const imageDir = root.imageDir(driverName);
  const images = new FileImageStore(imageDir, warn);
  const references = new ReferenceStore(imageDir);
  const layers = openLayerStore({
    root,
    driverName,
    driver,
    imageLayers: () => images.layersOfAll(),
    imageHasTop: (id, chainId) => images.exists(id) && images.get(id)?.topLayer === chainId,
    syncLayers: config.syncLayers,
    warn,
  });

  const loadContainers = once(async (): Promise<ContainerService> => {
    const { createContainerService } = await import('./containers/container-service.ts');
    return createContainerService({
      root,
      driverName,
      layers,
      images: createImageLookup(imageContext),
      imageParent: (id) => images.parentOf(id),
      settings: config.runtime,
      exitCommand: exitCommand(root, driverName, options),
      warn,
    });
  });
  const users = async (): Promise<ImageUser[]> => {
    if (listDirectory(root.containersDir).length === 0) return [];
    const all = await (await loadContainers()).list({ all: true });
    return all.map(({ Id, ImageID, State }) => ({
      containerId: Id,
      imageId: ImageID,
      running: ['running', 'paused', 'restarting'].includes(State),
    }));
  };
  const imageContext: ImageContext = {
    ...{ root, driverName, images, references, layers, users, warn },
    usersSince: (known) => newUsers(root, driverName, known),
  };

  if (!root.readOnly) await recover(imageContext, layers, imageDir);
  // Options of the driver's are its to refuse, also in commands that would not need it.
  // In a root that is there for one command it would make a store, and its options have been looked at.
  if (config.storageOptions.length > 0 && !isEmpty) await driver();
  return {
    images: createImageService(imageContext),
    containers: lazyContainers(loadContainers),
    explained: (error) => explained(error, root, driverName, options),
    info: async () => {
      const { systemInfo } = await import('./info.ts');
      const hasContainers = listDirectory(root.containersDir).length > 0;
      const containers = hasContainers ? await (await loadContainers()).list({ all: true }) : [];
      return await systemInfo({
        root,
        config,
        driver: await driver(),
        images: images.ids().length,
        containers,
      });
    },
  };
}

/** Containers that are not among `known`. One that cannot be read holds its layers by itself. */
async function newUsers(
  root: DataRoot,
  driverName: string,
  known: readonly ImageUser[],
): Promise<ImageUser[]> {
  const seen = new Set(known.map(({ containerId }) => containerId));
  const fresh = listDirectory(root.containersDir).filter((name) => !name.startsWith('.') && !seen.has(name));
  if (fresh.length === 0) return [];
  const { ContainerFolders } = await import('./containers/container-folders.ts');
  const folders = new ContainerFolders(root, driverName);
  return fresh.flatMap((id) => {
    try {
      const row = folders.row(id);
      return row === undefined ? [] : { containerId: id, imageId: row.imageId, running: row.state.Running };
    } catch (error) {
      if (error instanceof TsengineError) return [];
      throw error;
    }
  });
}

/** Finishes what dead processes left in the stores. */
async function recover(context: ImageContext, layers: OpenLayerStore, imageDir: string): Promise<void> {
  const tmpDir = `${imageDir}/layerdb/tmp`;
  try {
    removeStaleLocks(context.root);
    if (anyTemporaryFile(tmpDir)) {
      using _ = await context.root.lock('images');
      removeTemporaryFiles(tmpDir);
    }
    await withReserve(context.root, () => layers.recover((id) => forgetNameless(context, id)));
  } catch (error) {
    // The driver may be gone, or refuse this kernel: what needs no driver goes on, and the rest says so itself. And on a
    // disk that is full, what frees space must go on.
    const isUnavailable = error instanceof TsengineError && error.code === 'Unavailable';
    if (!isUnavailable && !hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
    context.warn(`what an interrupted command left is not removed: ${errorMessage(error)}`);
  }
}

/**
 * Removes an image that was written by a process that died before it gave it a name, and what is left of one that such a
 * process was writing or removing.
 */
async function forgetNameless(context: ImageContext, id: string): Promise<void> {
  const before = await context.users();
  using _ = await context.root.lock('images');
  const users = [...before, ...(await context.usersSince(before))];
  const isUsed =
    context.images.exists(id) &&
    (context.references.read().of(id).length > 0 ||
      context.images.children(id).length > 0 ||
      users.some(({ imageId }) => imageId === id));
  if (!isUsed) context.images.delete(id);
}
