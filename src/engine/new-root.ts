/** What is asked before a data root is made that is not there: whether its driver could serve it. */
import { existsSync, lstatSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { driverFactory, mustServe } from '../drivers/registry.ts';
import type { EngineOptions } from './api/services.ts';
import type { EngineConfig } from './config.ts';
import { DEFAULT_DATA_ROOT, execRootFor } from './root.ts';

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
  { warn = () => {} }: EngineOptions,
): Promise<void> {
  const { storageDriver: name = '', dataRoot = DEFAULT_DATA_ROOT, execRoot = execRootFor(dataRoot) } = config;
  if (name === '') return;
  await driverFactory(name);
  const path = resolve(dataRoot);
  if (!isNew || process.geteuid?.() !== 0 || !canBeMade(path)) return;
  const places = { home: `${path}/${name}`, runHome: `${execRoot}/${name}` };
  await mustServe(name, { ...places, options: config.storageOptions, readOnly: false, warn });
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
