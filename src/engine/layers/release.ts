import type { GraphDriver } from '../../drivers/driver.ts';
import { errorMessage } from '../../errors.ts';
import { type ReferenceSources, referencedLayers } from './references.ts';
import type { ChainId, Layer } from './types.ts';
import { beginRemoval, type WriteSet } from './write-set.ts';

/** What `releaseLayers` works with. */
export interface ReleaseContext extends ReferenceSources {
  driver(): Promise<GraphDriver>;
  warn(message: string): void;
}

/**
 * Removes layers that nothing refers to, each with its parents as far as these are free too. Under the `layers` lock
 * they only leave the store, in one rename each, top first; the driver removes their files after that. Gives what is
 * gone. A crash leaves write-sets that the next start finishes.
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
  for (const { removal } of gone) await removal.remove(driver);
  return gone.map(({ layer }) => layer);
}

/** The layers that may go, children before parents. */
function freeLayers(context: ReleaseContext, tops: readonly ChainId[]): Layer[] {
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
  let held: Set<ChainId>;
  try {
    held = referencedLayers(context, leaving);
  } catch (error) {
    context.warn(
      `no layer is removed, because not all references to layers can be read: ${errorMessage(error)}`,
    );
    return [];
  }
  return candidates.filter((layer) => !held.has(layer.chainId));
}
