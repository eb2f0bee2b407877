import type { GraphDriver } from '../../drivers/driver.ts';
import { errorMessage, TsengineError } from '../../errors.ts';
import { settleDriver } from './data-sync.ts';
import { leaveToLater } from './leases.ts';
import { type ReferencedLayers, type ReferenceSources, referencedLayers } from './references.ts';
import type { ChainId, Layer } from './types.ts';
import { beginRemoval, isOfStore, staysBehind, type WriteSet } from './write-set.ts';

/** What `releaseLayers` works with. */
export interface ReleaseContext extends ReferenceSources {
  driver(): Promise<GraphDriver>;
  warn(message: string): void;
  /** What the driver cannot remove is told to `warn`, and is for the next start: nobody asked for its removal now. */
  readonly leavesWhatStays?: boolean;
}

/**
 * Removes layers that nothing refers to, each with its parents as far as these are free too. Under the `layers` lock
 * they only leave the store, in one rename each, top first; the driver removes their files after that. Gives what is
 * gone. A crash leaves write-sets that the next start finishes.
 *
 * What nothing but leases keeps is left to a later start, because whoever holds the lease may never refer to it.
 */
export async function releaseLayers(context: ReleaseContext, tops: readonly ChainId[]): Promise<Layer[]> {
  const driver = await context.driver();
  const gone: { readonly layer: Layer; readonly removal: WriteSet }[] = [];
  {
    using _ = await context.root.lock('layers');
    for (const layer of freeLayers(context, tops)) {
      const removal = beginRemoval(context.db.tmpDir, context.db.layerDir(layer.chainId), layer.cacheId);
      if (removal !== undefined) gone.push({ layer, removal });
    }
  }
  await removeAll(
    gone.map(({ removal }) => removal),
    driver,
    context,
  );
  return gone.map(({ layer }) => layer);
}

/**
 * Removes what has left the store. A layer that still has a child belongs below something that a process was making when it
 * died a moment ago: both are for the next start. Another failure is thrown when the rest has had its turn.
 */
async function removeAll(
  removals: readonly WriteSet[],
  driver: GraphDriver,
  { root, leavesWhatStays = false, warn }: ReleaseContext,
): Promise<void> {
  const failures: unknown[] = [];
  const removed: WriteSet[] = [];
  for (const removal of removals) {
    try {
      await removal.removeLayer(driver);
      removed.push(removal);
    } catch (error) {
      removal.release();
      if (error instanceof TsengineError && error.code === 'Conflict') continue;
      if (leavesWhatStays && !isOfStore(error)) warn(staysBehind(removal.path, removal.id, error));
      else failures.push(error);
    }
  }
  try {
    // Once for all: it may take as long as a whole removal.
    if (removed.length > 0) await settleDriver(root, driver.name);
    for (const removal of removed) removal.removeFolder();
  } finally {
    for (const removal of removed) removal.release();
  }
  if (failures.length > 0) throw failures[0];
}

/** Children before parents, also where several chains meet. */
function topFirst(layers: readonly Layer[]): readonly Layer[] {
  const parents = new Map(layers.map(({ chainId, parent }) => [chainId, parent]));
  const depth = (chainId: ChainId): number => {
    let steps = 0;
    for (let at = parents.get(chainId); at !== undefined && parents.has(at); at = parents.get(at)) steps += 1;
    return steps;
  };
  const depths = new Map(layers.map(({ chainId }) => [chainId, depth(chainId)]));
  return layers.toSorted((a, b) => (depths.get(b.chainId) ?? 0) - (depths.get(a.chainId) ?? 0));
}

/** The layers that may go, children before parents. */
function freeLayers(context: ReleaseContext, tops: readonly ChainId[]): readonly Layer[] {
  const candidates: Layer[] = [];
  const leaving = new Set<ChainId>();
  for (const top of tops) {
    for (let at: ChainId | undefined = top; at !== undefined && !leaving.has(at); ) {
      const layer = context.db.layer(at);
      if (layer === undefined) break;
      candidates.push(layer);
      leaving.add(at);
      at = layer.parent;
    }
  }
  if (candidates.length === 0) return [];
  let held: ReferencedLayers;
  try {
    held = referencedLayers(context, leaving);
  } catch (error) {
    context.warn(
      `no layer is removed, because not all references to layers can be read: ${errorMessage(error)}`,
    );
    return [];
  }
  const unused = candidates.filter(({ chainId }) => !held.onRecord.has(chainId));
  const postponed = unused.filter(({ chainId }) => held.leased.has(chainId));
  if (postponed.length > 0) leaveToLater(context.root, postponed.map(({ chainId }) => chainId).reverse());
  const free = unused.filter(({ chainId }) => !held.leased.has(chainId));
  return tops.length > 1 ? topFirst(free) : free;
}
