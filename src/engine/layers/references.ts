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
  /** Leases that do not count: the caller's own, or the dead ones that are being released. */
  readonly exceptLeases?: ReadonlySet<string>;
}

/** What refers to layers: what is on record, and what processes hold. */
export interface ReferencedLayers {
  readonly onRecord: ReadonlySet<ChainId>;
  readonly leased: ReadonlySet<ChainId>;
}

/**
 * All layers that something refers to: those of images, those below containers, leased ones, and what layers outside
 * all of these stand on. `leaving` is a layer that may go: nothing keeps it but others.
 */
export function referencedLayers(sources: ReferenceSources, leaving: ReadonlySet<ChainId>): ReferencedLayers {
  const { root, db } = sources;
  const onRecord = new Set<ChainId>();
  const leased = new Set<ChainId>();
  for (const diffIds of sources.imageLayers()) {
    for (const chainId of chainIdsOf(diffIds)) onRecord.add(chainId);
  }
  const withParents = (held: Set<ChainId>, chainId: ChainId | undefined): void => {
    for (let at = chainId; at !== undefined && !held.has(at); at = db.parent(at)) held.add(at);
  };
  for (const containerId of db.containerIds()) withParents(onRecord, db.containerLayer(containerId)?.parent);
  for (const chainId of leasedLayers(root, sources.exceptLeases)) withParents(leased, chainId);
  // A layer that belongs to no image still needs its parents. Usually there is none, or only those about to go.
  for (const chainId of db.chainIds()) {
    const isHeld = onRecord.has(chainId) || leased.has(chainId);
    if (!isHeld && !leaving.has(chainId)) withParents(onRecord, chainId);
  }
  return { onRecord, leased };
}
