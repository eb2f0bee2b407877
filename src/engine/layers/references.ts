/**
 * Who refers to a layer. Nothing is counted in advance: references are found on disk whenever a layer might go, so that
 * no count can be wrong after a crash. Called under the `layers` lock.
 */
import type { DataRoot } from '../root.ts';
import { chainIdsOf } from './chain-id.ts';
import type { LayerDb } from './layer-db.ts';
import { leasedLayers } from './leases.ts';
import type { ChainId, DiffId } from './types.ts';

/** The diff IDs of every image on record. Throws when an image cannot be read: its layers are unknown then, and all must stay. */
export type ImageLayers = () => Iterable<readonly DiffId[]>;

/** What the references are found from. */
export interface ReferenceSources {
  readonly root: DataRoot;
  readonly db: LayerDb;
  readonly imageLayers: ImageLayers;
  /** A lease that does not count: the dead one that is being released. */
  readonly exceptLease?: string | undefined;
}

/**
 * All layers that something refers to: those of images, those below containers, leased ones, and what layers outside
 * all of these stand on. `leaving` is a layer that may go: nothing keeps it but others.
 */
export function referencedLayers(sources: ReferenceSources, leaving: ReadonlySet<ChainId>): Set<ChainId> {
  const { root, db } = sources;
  const held = new Set<ChainId>();
  for (const diffIds of sources.imageLayers()) {
    for (const chainId of chainIdsOf(diffIds)) held.add(chainId);
  }
  const withParents = (chainId: ChainId | undefined): void => {
    for (let at = chainId; at !== undefined && !held.has(at); at = db.parent(at)) held.add(at);
  };
  for (const containerId of db.containerIds()) withParents(db.containerLayer(containerId)?.parent);
  for (const chainId of leasedLayers(root, sources.exceptLease)) withParents(chainId);
  // A layer that belongs to no image still needs its parents. Usually there is none, or only those about to go.
  for (const chainId of db.chainIds()) {
    if (!held.has(chainId) && !leaving.has(chainId)) withParents(chainId);
  }
  return held;
}
