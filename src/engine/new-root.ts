/** What is asked of a driver that was named before anything else is done: whether it could serve the data root. */
import { existsSync, lstatSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { DriverContext, DriverFactory } from '../drivers/driver.ts';
import { driverFactory, mustServe } from '../drivers/registry.ts';
import { suspendedPoolOf } from '../linux/suspended-pool.ts';
import type { EngineOptions } from './api/services.ts';
import type { EngineConfig } from './config.ts';
import { type DataRoot, DEFAULT_DATA_ROOT, execRootFor, RootPaths } from './root.ts';

/** Whether there is nothing of tsengine's and nothing of Docker's where the data root is to be: any folder may be named by mistake. */
export function isNewRoot({ dataRoot = DEFAULT_DATA_ROOT }: EngineConfig): boolean {
  return !['tsengine', 'image'].some((name) => existsSync(`${dataRoot}/${name}`));
}

/**
 * Refuses the name of a driver that is none, and, for a root that is new, a driver that cannot serve it or an option that is not
 * its own. Makes nothing.
 */
export async function checkDriver(
  config: EngineConfig,
  isNew: boolean,
  options: EngineOptions,
): Promise<void> {
  const { storageDriver: name = '', dataRoot = DEFAULT_DATA_ROOT } = config;
  if (name === '') return;
  const factory = await driverFactory(name);
  const path = resolve(dataRoot);
  if (!isNew || process.geteuid?.() !== 0 || !canBeMade(path)) return;
  const paths = new RootPaths(path, resolve(config.execRoot ?? execRootFor(path)));
  await serves(factory, paths, config, options);
}

/**
 * Refuses, in a root that is there, a driver that has nothing in it and that needs a place of a kind of its own, where there is no
 * such place: as Docker, which does not start with it, and whatever the command is. A look or two; the stores are attached.
 */
export async function checkPlace(
  root: DataRoot,
  config: EngineConfig,
  options: EngineOptions,
): Promise<void> {
  const { storageDriver: name = '' } = config;
  if (name === '') return;
  const factory = await driverFactory(name);
  if (factory.stores === undefined) return;
  const home = root.driverHome(name);
  // Whoever looks there waits for its disks.
  if (suspendedPoolOf(home) !== undefined || holdsLayers(factory, home)) return;
  await serves(factory, root, config, options);
}

/** Where that cannot be told, the driver says why. */
function holdsLayers(factory: DriverFactory, home: string): boolean {
  try {
    return factory.hasData(home);
  } catch {
    return false;
  }
}

async function serves(
  factory: DriverFactory,
  root: RootPaths,
  config: EngineConfig,
  { warn = () => {} }: EngineOptions,
): Promise<void> {
  const context: DriverContext = {
    home: root.driverHome(factory.name),
    runHome: root.driverRunHome(factory.name),
    options: config.storageOptions,
    readOnly: false,
    warn,
  };
  await mustServe(factory, context, async () => {
    const { offerOfDriverStore } = await import('./driver-stores.ts');
    return await offerOfDriverStore(root, factory);
  });
}

/** Whether a folder can be there, as far as names go. What is in its way is told by whoever opens the root. */
function canBeMade(path: string): boolean {
  try {
    for (let at = path; ; at = dirname(at)) {
      const found = statSync(at, { throwIfNoEntry: false });
      if (found !== undefined) return found.isDirectory();
      // A symbolic link that leads nowhere.
      if (lstatSync(at, { throwIfNoEntry: false }) !== undefined) return false;
    }
  } catch {
    return false;
  }
}
