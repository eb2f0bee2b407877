/** The stores that `driver setup` makes in a data root: attached when it is opened, made and taken away as a user asks. */
import { attachStores, hasStore, makeStore, removeStore, type StoreFolder } from '../drivers/made-stores.ts';
import { driverFactory } from '../drivers/registry.ts';
import { TsengineError } from '../errors.ts';
import { removeTree } from '../linux/remove-tree.ts';
import { type DataRoot, type DataRootOptions, openDataRoot } from './root.ts';

function storesOf(root: DataRoot): StoreFolder {
  return {
    path: `${root.stateDir}/stores`,
    homeOf: (name) => root.driverHome(name),
    runHomeOf: (name) => root.driverRunHome(name),
  };
}

/** Attaches what is not attached, as after a boot. */
export async function attachDriverStores(root: DataRoot): Promise<void> {
  await attachStores(storesOf(root));
}

/** Makes a store for a driver, of `size` bytes. Gives the driver's home. */
export async function setUpDriver(options: DataRootOptions, name: string, size: number): Promise<string> {
  const factory = await driverFactory(name);
  using root = await openDataRoot(options);
  await makeStore(storesOf(root), name, size);
  return root.driverHome(factory.name);
}

/**
 * Takes a driver's store away, and with it the images that are in it. Fails with `Conflict` where layers are in it, unless
 * `force` says that they may go, and while something uses it.
 */
export async function tearDownDriver(options: DataRootOptions, name: string, force: boolean): Promise<void> {
  const factory = await driverFactory(name);
  using root = await openDataRoot(options);
  const folder = storesOf(root);
  if (!force && (await hasStore(folder, name))) {
    await attachStores(folder);
    if (factory.hasData(root.driverHome(factory.name))) {
      throw new TsengineError(
        'Conflict',
        `${name} holds images or containers in ${root.path}: remove them first, or all of them now with --force`,
      );
    }
  }
  await removeStore(folder, name, () => removeTree(root.imageDir(name)));
}
