/**
 * A data root that is only looked at (`--read-only-root`): one that a live dockerd works on, a copy, a backup, a disk
 * that is mounted read-only. Nothing in it is written: no folder, no lock, no index, no recovery of what dead processes
 * left. What is read may change meanwhile; a file that Docker replaces is seen before or after, never in between.
 *
 * The exec root is made only by what needs it, which is a view of several layers (drivers/overlay2/view.ts).
 */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { hasErrno, TsengineError } from '../errors.ts';
import type { Lock } from '../linux/flock.ts';
import { isUsedByDockerd } from './docker-daemon.ts';
import {
  type DataRoot,
  type DataRootOptions,
  DEFAULT_DATA_ROOT,
  execRootFor,
  RootPaths,
  readVersion,
  refuseNonDirectory,
  refuseSuspended,
  STATE_VERSION,
} from './root.ts';

class ReadOnlyDataRoot extends RootPaths implements DataRoot {
  readonly readOnly = true;
  readonly hasDockerd: boolean;
  readonly heldFd = undefined;

  constructor(path: string, execRoot: string) {
    super(path, execRoot);
    this.hasDockerd = isUsedByDockerd(path);
  }

  async lock(): Promise<Lock> {
    throw this.#refusal();
  }

  tryLock(): Lock | undefined {
    throw this.#refusal();
  }

  #refusal(): TsengineError {
    return new TsengineError(
      'Forbidden',
      `data root ${this.path} is opened with --read-only-root, and this would change it`,
    );
  }

  [Symbol.dispose](): void {}
}

/**
 * Opens a data root for reading alone. It needs no rights but those of reading it. Fails with `NotFound` when it is not
 * there, with `Unavailable` when another version of tsengine must write it first.
 */
export async function openReadOnlyRoot(options: DataRootOptions = {}): Promise<DataRoot> {
  const named = resolve(options.dataRoot ?? DEFAULT_DATA_ROOT);
  refuseSuspended(named);
  refuseNonDirectory(named, 'data root');
  const path = existingPath(named);
  const execRoot = resolve(options.execRoot ?? execRootFor(path));
  refuseNonDirectory(execRoot, 'exec root');
  if (`${execRoot}/`.startsWith(`${path}/`)) {
    throw new TsengineError(
      'InvalidParameter',
      `exec root ${execRoot} is in the data root, where --read-only-root writes nothing: name another --exec-root`,
    );
  }
  const root = new ReadOnlyDataRoot(path, execRoot);
  const version = readVersion(root) ?? STATE_VERSION;
  if (version === STATE_VERSION) return root;
  throw new TsengineError(
    'Unavailable',
    `data root ${path} has state version ${version}: open it once without --read-only-root, to bring it to ${STATE_VERSION}`,
  );
}

function existingPath(named: string): string {
  try {
    return realpathSync(named);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    throw new TsengineError('NotFound', `data root ${named} does not exist: name another --data-root`, {
      cause: error,
    });
  }
}
