/** The stores that `driver setup` makes in a data root: attached when it is opened, made and taken away as a user asks. */
import {
  attachStores,
  makeStore,
  type RemoveStore,
  removeStore,
  type StoreFolder,
} from '../drivers/made-stores.ts';
import { driverFactory } from '../drivers/registry.ts';
import { removeTree } from '../linux/remove-tree.ts';
import { type DataRoot, type DataRootOptions, openDataRoot } from './root.ts';

function storesOf(root: DataRoot): StoreFolder {
  return {
    path: `${root.stateDir}/stores`,
    homeOf: (name) => root.driverHome(name),
    runHomeOf: (name) => root.driverRunHome(name),
  };
}

/** Attaches what is not attached, as after a boot: the store of this driver, or all. */
export async function attachDriverStores(root: DataRoot, driver: string | undefined): Promise<void> {
  await attachStores(storesOf(root), driver);
}

/** Makes a store for a driver, of `size` bytes. Gives the driver's home. */
export async function setUpDriver(options: DataRootOptions, name: string, size: number): Promise<string> {
  const factory = await driverFactory(name);
  using root = await openDataRoot(options);
  await makeStore(storesOf(root), name, size);
  return root.driverHome(factory.name);
}

/** How a driver's store is taken away. */
export type TearDown = Omit<RemoveStore, 'removeRecords'>;

/**
 * Takes a driver's store away, and with it the images that are in it. Fails with `NotFound` where there is none, with `Conflict`
 * where layers are in it, unless `force` says that they may go, and while something uses it.
 */
export async function tearDownDriver(options: DataRootOptions, name: string, how: TearDown): Promise<void> {
  await driverFactory(name);
  using root = await openDataRoot(options);
  await removeStore(storesOf(root), name, {
    ...how,
    removeRecords: () => removeTree(root.imageDir(name)),
  });
}
