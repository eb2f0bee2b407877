/** The stores that `driver setup` makes in a data root: attached when it is opened, made and taken away as a user asks. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DriverContext, DriverFactory, GraphDriver } from '../drivers/driver.ts';
import type { DriverListing } from '../drivers/listing.ts';
import type { StoreFolder } from '../drivers/made-store.ts';
import {
  attachStores,
  checkMake,
  makeStore,
  mustBeAttached,
  type NewStore,
  offerOfStore,
  usualSize,
} from '../drivers/made-stores.ts';
import { driverFactory, mustServe } from '../drivers/registry.ts';
import { checkRemove, type RemoveStore, removeStore } from '../drivers/remove-store.ts';
import { explainStore, wantingRoom } from '../drivers/store-disk.ts';
import { TsengineError } from '../errors.ts';
import { removeTree } from '../linux/remove-tree.ts';
import { statfs } from '../linux/statfs.ts';
import { suspendedPoolOf } from '../linux/suspended-pool.ts';
import { explainDisk } from './disk-trouble.ts';
import { programOn } from './own-command.ts';
import { keepReserve, spendReserve, withReserve } from './reserve.ts';
import {
  type DataRoot,
  type DataRootOptions,
  DEFAULT_DATA_ROOT,
  execRootFor,
  mustBeRoot,
  mustBeWritable,
  openDataRoot,
  RootPaths,
  refuseNonDirectory,
  refuseSuspended,
} from './root.ts';

function storesOf(root: RootPaths): StoreFolder {
  return {
    program: programOn(root),
    path: `${root.stateDir}/stores`,
    homeOf: (name) => root.driverHome(name),
    runHomeOf: (name) => root.driverRunHome(name),
  };
}

/** Attaches what is not attached, as after a boot: the store of this driver, or all. */
export async function attachDriverStores(root: DataRoot, driver: string | undefined): Promise<void> {
  await attachStores(storesOf(root), driver);
}

/**
 * Opens a driver that has a store. One that may only look finds it attached, or fails with `Unavailable`; one that may write begins
 * no layer in a store that finds no room on the disk below it, and fails in words of that disk where it is the cause.
 */
export async function openOnStore(
  root: DataRoot,
  factory: DriverFactory,
  context: DriverContext,
): Promise<GraphDriver> {
  const stores = storesOf(root);
  if (root.readOnly) {
    await mustBeAttached(stores, factory);
    return await factory.open(context);
  }
  try {
    return await wantingRoom(await factory.open(context), stores);
  } catch (error) {
    throw await explainStore(error, stores, factory.name);
  }
}

/**
 * Fails with `Unavailable` and the way out where a driver cannot work in a data root, which need not be there, or has a store there
 * that is not attached. Changes nothing.
 */
export async function mustServeRoot(
  options: DataRootOptions,
  factory: DriverFactory,
  context: DriverContext,
): Promise<void> {
  const stores = storesOf(pathsOf(options));
  await mustBeAttached(stores, factory);
  await mustServe(factory, context, () => offerOfStore(stores, factory));
}

/** What a refusal of a driver can add: see `offerOfStore`. */
export async function offerOfDriverStore(
  root: RootPaths,
  factory: DriverFactory,
): Promise<string | undefined> {
  return await offerOfStore(storesOf(root), factory);
}

/** The error of a command that used a driver's store, in words of the disk below that where it is the cause. */
export async function explainDriverStore(error: unknown, root: RootPaths, driver: string): Promise<unknown> {
  return await explainStore(error, storesOf(root), driver);
}

/** What each driver could do for a data root, and which stores it has there. Opens nothing and changes nothing. */
export async function listDriversOf(options: DataRootOptions): Promise<readonly DriverListing[]> {
  const root = pathsOf(options);
  const { listDrivers } = await import('../drivers/listing.ts');
  return await listDrivers(root.path, storesOf(root));
}

/** Where things are in a data root that need not be there. */
function pathsOf(options: DataRootOptions): RootPaths {
  const named = resolve(options.dataRoot ?? DEFAULT_DATA_ROOT);
  // What is on a suspended pool is not touched.
  const path = suspendedPoolOf(named) === undefined ? realPathIfAny(named) : named;
  return new RootPaths(path, resolve(options.execRoot ?? execRootFor(path)));
}

function realPathIfAny(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // The drivers say what is wrong with it.
    return path;
  }
}

/** The factory of a driver that is an argument: what is wrong with it is no wrong flag, and has no exit code of its own. */
async function factoryOf(name: string): Promise<DriverFactory> {
  try {
    return await driverFactory(name);
  } catch (error) {
    if (!(error instanceof TsengineError)) throw error;
    throw new TsengineError(error.code, error.message, { cause: error });
  }
}

/** Where a store was made. */
export interface SetUp {
  /** The driver's home. */
  readonly home: string;
  /** What begins a command on its data root. */
  readonly program: string;
  /** In bytes. */
  readonly size: number;
  /** Bytes that the disk of its file has left, where they are fewer than the store may come to want. */
  readonly tooLittle?: number;
}

/**
 * Looks at a data root before it is opened, which makes it: what is refused anyway leaves nothing. Where that cannot be looked at,
 * opening says why.
 */
async function lookBefore(
  options: DataRootOptions,
  look: (stores: StoreFolder) => Promise<unknown>,
): Promise<void> {
  mustBeRoot();
  const root = pathsOf(options);
  refuseSuspended(root.path);
  refuseNonDirectory(root.path, 'data root');
  try {
    await look(storesOf(root));
  } catch (error) {
    if (error instanceof TsengineError) throw error;
  }
}

/** Does `work` on a driver's store; where a disk that is full or cannot be written is the cause, its error says so. */
async function explaining<T>(root: RootPaths, driverName: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const told = await explainDriverStore(error, root, driverName);
    throw explainDisk(told, { root, driverName, onlyReads: false });
  }
}

/**
 * Makes a store for a driver, of the usual size where none is given. What can be refused before anything is made leaves no data root
 * either.
 */
export async function setUpDriver(
  options: DataRootOptions,
  { size: asked, ...rest }: Omit<NewStore, 'size'> & Partial<NewStore>,
): Promise<SetUp> {
  const factory = await factoryOf(rest.name);
  mustBeRoot();
  const size = asked ?? usualSize(pathsOf(options).path);
  const wanted = { ...rest, size };
  await lookBefore(options, (stores) => checkMake(stores, wanted));
  using root = await openDataRoot(options);
  mustBeWritable(root);
  const lacking = await explaining(root, factory.name, () => makeStore(storesOf(root), wanted));
  const tooLittle = lacking === 0 ? {} : { tooLittle: statfs(root.path).available };
  return { home: root.driverHome(factory.name), program: programOn(root), size, ...tooLittle };
}

/** How a driver's store is taken away. */
export type TearDown = Omit<RemoveStore, 'removeRecords' | 'recording' | 'makeRoom'>;

/**
 * Takes a driver's store away, and with it the images that are in it. Fails with `NotFound` where there is none, with `Conflict`
 * where layers are in it, unless `force` says that they may go, and while something uses it.
 */
export async function tearDownDriver(options: DataRootOptions, name: string, how: TearDown): Promise<void> {
  const factory = await factoryOf(name);
  await lookBefore(options, (stores) => checkRemove(stores, name, how.force));
  using root = await openDataRoot(options);
  await explaining(root, factory.name, () =>
    removeStore(storesOf(root), name, {
      ...how,
      removeRecords: () => removeTree(root.imageDir(name)),
      recording: (write) => withReserve(root, write),
      makeRoom: () => spendReserve(root),
    }),
  );
  keepReserve(root);
}
