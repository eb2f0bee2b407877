/** A user's own kernel, as far as the matrix has to know it before a machine starts. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { release, version } from 'node:os';
import { resolve } from 'node:path';
import { TsengineError } from '../../errors.ts';
import type { EntryPlan } from '../cache.ts';
import { findModules, ownKernelPlan, readKernel } from '../kernels.ts';
import { readModules } from '../modules.ts';
import type { KernelChoice, OwnKernel } from '../types.ts';
import { HOST, kernelChoice } from './kernel-names.ts';

/** A kernel of `--kernels`; one that is given by a path has these modules and this initial RAM disk. Fails with `NotFound` where no file is. */
export function choiceOf(name: string, parts: Omit<OwnKernel, 'path'>): KernelChoice {
  const choice = kernelChoice(name);
  if (typeof choice === 'string') return choice;
  if (statSync(choice.path, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new TsengineError('NotFound', `no kernel is at ${name}: give the path of a bzImage`);
  }
  return { ...choice, ...parts };
}

/**
 * Another text whenever it is another kernel, another module or another initial RAM disk, as far as can be told without
 * starting it. Fails as the lab does on a file that is no kernel, and on a folder without its modules. Debian's are told
 * apart by who holds them (held-kernel.ts).
 */
export function kernelIdentity(choice: KernelChoice): string {
  if (choice === HOST) return `${release()} ${version()}`;
  if (typeof choice === 'string') return choice;
  return ownIdentity(choice, ownKernelPlan(choice, { progress: () => undefined, signal: undefined }));
}

/** `kernelIdentity` of a user's kernel whose files have been looked at. */
export function ownIdentity({ path }: OwnKernel, { madeOf }: EntryPlan): string {
  const hash = createHash('sha256').update(JSON.stringify(madeOf));
  return `${path} ${hash.digest('hex').slice(0, 32)}`;
}

/** Whether a user's kernel brings ZFS. */
export function hasOwnZfs(kernel: OwnKernel): boolean {
  const folder = modulesOf(kernel);
  if (folder === undefined) return false;
  const { files, builtIn } = readModules(folder);
  return files.has('zfs') || builtIn.has('zfs');
}

function modulesOf({ path, modules }: OwnKernel): string | undefined {
  const { release: found } = readKernel(resolve(path));
  return modules === undefined ? undefined : findModules(resolve(modules), found);
}
