/** The stores that `driver setup` makes in a data root: attached when it is opened, made and taken away as a user asks. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DriverFactory } from '../drivers/driver.ts';
import type { DriverListing } from '../drivers/listing.ts';
import {
  attachStores,
  makeStore,
  offerOfStore,
  type RemoveStore,
  removeStore,
  type StoreFolder,
} from '../drivers/made-stores.ts';
import { driverFactory } from '../drivers/registry.ts';
import { TsengineError } from '../errors.ts';
import { removeTree } from '../linux/remove-tree.ts';
import { suspendedPoolOf } from '../linux/suspended-pool.ts';
import { programOn } from './own-command.ts';
import {
  type DataRoot,
  type DataRootOptions,
  DEFAULT_DATA_ROOT,
  execRootFor,
  mustBeWritable,
  openDataRoot,
  RootPaths,
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

/** What a refusal of a driver can add: see `offerOfStore`. */
export async function offerOfDriverStore(
  root: RootPaths,
  factory: DriverFactory,
): Promise<string | undefined> {
  return await offerOfStore(storesOf(root), factory);
}

/** What each driver could do for a data root, and which stores it has there. Opens nothing and changes nothing. */
export async function listDriversOf(options: DataRootOptions): Promise<readonly DriverListing[]> {
  const named = resolve(options.dataRoot ?? DEFAULT_DATA_ROOT);
  // What is on a suspended pool is not touched.
  const path = suspendedPoolOf(named) === undefined ? realPathIfAny(named) : named;
  const root = new RootPaths(path, resolve(options.execRoot ?? execRootFor(path)));
  const { listDrivers } = await import('../drivers/listing.ts');
  return await listDrivers(path, storesOf(root));
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
}

/** Makes a store for a driver, of `size` bytes. */
export async function setUpDriver(options: DataRootOptions, name: string, size: number): Promise<SetUp> {
  const factory = await factoryOf(name);
  using root = await openDataRoot(options);
  mustBeWritable(root);
  await makeStore(storesOf(root), name, size);
  return { home: root.driverHome(factory.name), program: programOn(root) };
}

/** How a driver's store is taken away. */
export type TearDown = Omit<RemoveStore, 'removeRecords'>;

/**
 * Takes a driver's store away, and with it the images that are in it. Fails with `NotFound` where there is none, with `Conflict`
 * where layers are in it, unless `force` says that they may go, and while something uses it.
 */
export async function tearDownDriver(options: DataRootOptions, name: string, how: TearDown): Promise<void> {
  await factoryOf(name);
  using root = await openDataRoot(options);
  await removeStore(storesOf(root), name, {
    ...how,
    removeRecords: () => removeTree(root.imageDir(name)),
  });
}
