/**
 * What a stop of the machine has left of containers, looked for by the first command after it. A power cut keeps what was
 * synced and, of the rest, some: of a container that was not to outlive the machine's running perhaps its name without
 * its contents; and of a removal, on a file system that does not keep the order of changes, the end without the beginning.
 *
 * The exec root is in memory, so that a file in it says that this has been done. A crash before that file is made has it
 * done again, which is harmless.
 */
import { TsengineError } from '../../errors.ts';
import { listDirectory, makeDirectories, pathExists, writeNewFile } from '../../linux/files.ts';
import { isAlive, isInCgroupOf } from '../../linux/processes.ts';
import { type ContainerContext, runOf } from './context.ts';
import { eraseUnfinished } from './run-ending.ts';

/** Clears up, and says so. */
export async function settleAfterBoot(context: ContainerContext): Promise<void> {
  await eraseVoid(context);
  clearWrites(context);
  await dropStrayLayers(context);
  makeDirectories(context.root.execRoot, 0o711);
  if (!pathExists(context.store.settledFile)) writeNewFile(context.store.settledFile, '', { durable: false });
}

/** Removes the containers that went with the machine. */
async function eraseVoid(context: ContainerContext): Promise<void> {
  const { store } = context;
  for (const id of store.ids()) {
    if (!store.isVoid(id) || store.isForeign(id)) continue;
    using lock = store.tryLock(id);
    if (lock === undefined || mayLive(context, id)) continue;
    await eraseUnfinished(context, id);
  }
}

/** Whether it was started since the machine was, under this exec root or another one. */
function mayLive(context: ContainerContext, id: string): boolean {
  if (pathExists(runOf(context, id).path)) return true;
  try {
    const pid = context.store.read(id)?.file.State.Pid ?? 0;
    return pid > 0 && isAlive(pid) && isInCgroupOf(pid, id);
  } catch (error) {
    if (error instanceof TsengineError && error.code === 'Corrupt') return false;
    throw error;
  }
}

/** Removes files that were being replaced. */
function clearWrites({ store }: ContainerContext): void {
  for (const id of store.ids()) {
    if (!listDirectory(store.paths(id).folder).some((name) => name.startsWith('.tmp-'))) continue;
    using lock = store.tryLock(id);
    if (lock !== undefined) store.clearWrites(id);
  }
}

/** Removes the layers that we made for containers of which nothing is left. */
async function dropStrayLayers(context: ContainerContext): Promise<void> {
  const { layers, store } = context;
  for (const id of layers.ownContainerLayers()) {
    if (store.foldersOf(id).some(pathExists)) continue;
    using lock = store.tryLock(id);
    // Whoever makes a container holds its lock from before its layer is there.
    if (lock === undefined || store.foldersOf(id).some(pathExists)) continue;
    await layers.removeContainerLayer(id);
  }
}
