/** What all parts of the container service work with. */

import { TsengineError } from '../../errors.ts';
import type { Lock } from '../../linux/flock.ts';
import type { ImageLookup } from '../images/types.ts';
import type { LayerStore } from '../layers/types.ts';
import type { DataRoot } from '../root.ts';
import type { MonitorAttachment } from '../runtime/attach.ts';
import { type RunDir, runDirOf } from '../runtime/run-dir.ts';
import type { RuntimeSettings } from '../runtime/settings.ts';
import type { HostFacts } from '../runtime/spec/input.ts';
import type { StoredContainer } from './container-file.ts';
import type { ContainerFolders } from './container-folders.ts';
import type { ContainerStore } from './container-store.ts';
import { resolveContainer } from './names.ts';

/** What the service is made from. */
export interface ContainerServiceDeps {
  readonly root: DataRoot;
  /** The storage driver's name. */
  readonly driverName: string;
  readonly layers: LayerStore;
  readonly images: ImageLookup;
  /** The image that an image was made from on this machine; `ps --filter ancestor` follows it. */
  readonly imageParent?: (id: string) => string | undefined;
  readonly settings: RuntimeSettings;
  /**
   * The program and arguments by which conmon has us record that a container ended: the command line, with the flags
   * that lead to this data root, and the hidden command. The container's id is appended.
   */
  readonly exitCommand: readonly string[];
  /** Receives one-line warnings for people. */
  warn(message: string): void;
}

/** What lists work with: no more than they need, because a thousand containers must be listed while Node starts. */
export interface ListContext extends ContainerServiceDeps {
  readonly store: ContainerFolders;
  /** Has the end of a container recorded, by code that is loaded when it is needed. */
  recordEnd(id: string): Promise<unknown>;
  /** Has what dead processes left of containers removed. */
  recover(): Promise<void>;
}

/** The dependencies, and what the service keeps while this process lives. */
export interface ContainerContext extends ContainerServiceDeps {
  readonly store: ContainerStore;
  /** The machine, looked at once. */
  host(): HostFacts;
  /** Containers that this process started in the foreground. */
  readonly attached: Map<string, MonitorAttachment>;
  /** Containers that this process has pledged to start: see pledges.ts. */
  readonly pledges: Map<string, Lock>;
}

/** Where a container's run is kept. */
export function runOf(context: Pick<ContainerServiceDeps, 'root'>, id: string): RunDir {
  return runDirOf(context.root.execRoot, id);
}

/** Whether the text has the form of a whole id. */
export function isFullId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** The full id of what a user typed. Fails with `NotFound` or `InvalidParameter` in Docker's words. */
export async function resolveName(store: ContainerFolders, wanted: string): Promise<string> {
  if (wanted === '') throw new TsengineError('InvalidParameter', 'invalid name or ID supplied: ""');
  if (store.exists(wanted)) return wanted;
  const bare = wanted.replace(/^\//, '');
  const named = await store.names.find(bare);
  const ids = store.ids().filter((id) => !id.startsWith(wanted) || isThere(store, id));
  return named ?? resolveContainer(wanted, ids, () => undefined);
}

/** Whether the container is one of this driver's; one that cannot be read is there, and says so when it is used. */
function isThere(store: ContainerFolders, id: string): boolean {
  try {
    return store.row(id) !== undefined;
  } catch (error) {
    if (error instanceof TsengineError) return true;
    throw error;
  }
}

/** The container, which must exist. Fails with `NotFound` in Docker's words. */
export function readContainer(context: ContainerContext, id: string): StoredContainer {
  const container = context.store.read(id);
  if (container === undefined) throw noSuchContainer(id);
  return container;
}

/** Docker's error for a container that is not there. */
export function noSuchContainer(name: string): TsengineError {
  return new TsengineError('NotFound', `No such container: ${name}`);
}

/** The container's name as people write it. */
export function bareName(container: StoredContainer): string {
  return container.file.Name.replace(/^\//, '');
}
