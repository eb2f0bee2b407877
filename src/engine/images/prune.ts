/**
 * `docker image prune`: removes images that nothing uses, by the rules of `rmi`. Which images those are is looked at
 * twice: once for the choice, and for each one again under the lock where it goes, so that an image that somebody named
 * or used in the meantime stays.
 */
import { errorMessage, TsengineError } from '../../errors.ts';
import type { Filters, ImageDeleteItem, PrunedImages } from '../api/services.ts';
import { chainIdsOf } from '../layers/chain-id.ts';
import type { ChainId } from '../layers/types.ts';
import { familiarString, type Reference } from '../references/reference.ts';
import { pruneFilter } from '../text/prune-filters.ts';
import type { ImageContext } from './context.ts';
import type { ImageFacts } from './image-facts.ts';
import { createdKey } from './list.ts';
import { type RemoveOptions, removeImage } from './remove.ts';

/** Whether only images without a name are meant; so unless `dangling=false` was asked for. */
function danglingOnly(filters: Filters): boolean {
  const values = filters.get('dangling') ?? ['true'];
  if (values.includes('false') || values.includes('0')) return false;
  if (values.includes('true') || values.includes('1')) return true;
  throw new TsengineError('InvalidParameter', `Invalid filter 'dangling=[${values.join(' ')}]'`);
}

function hasTag(names: readonly Reference[]): boolean {
  return names.some(({ digest }) => digest === undefined);
}

/** The images that may go, newest first: what was made from another goes before it. */
function candidates(context: ImageContext, filters: Filters, dangling: boolean): ImageFacts[] {
  const passes = pruneFilter(filters, ['dangling']);
  const references = context.references.read();
  const parents = new Set(context.images.ids().map((id) => context.images.parentOf(id)));
  return context.images
    .all()
    .map((image) => ({ image, created: createdKey(image), names: references.of(image.id) }))
    .filter(({ image, created, names }) => {
      if (parents.has(image.id) && (dangling || names.length === 0)) return false;
      return !(dangling && hasTag(names)) && passes({ created, labels: image.labels });
    })
    .sort((a, b) => (a.created === b.created ? 0 : a.created > b.created ? -1 : 1))
    .map(({ image }) => image);
}

/** What the layers of the images hold, so that it can be told what went with them. */
function layerSizes(context: ImageContext, images: readonly ImageFacts[]): Map<ChainId, number> {
  const sizes = new Map<ChainId, number>();
  for (const chainId of new Set(images.flatMap((image) => chainIdsOf(image.diffIds)))) {
    const layer = context.layers.get(chainId);
    if (layer !== undefined) sizes.set(chainId, layer.size);
  }
  return sizes;
}

/** Removes one image, or one of its names. Nothing happens to one that is in use by now, or gone. */
async function removeOne(
  context: ImageContext,
  name: string,
  options: RemoveOptions,
): Promise<ImageDeleteItem[]> {
  try {
    return await removeImage(context, name, options);
  } catch (error) {
    if (!(error instanceof TsengineError)) throw error;
    if (error.code !== 'Conflict' && error.code !== 'NotFound') {
      context.warn(`failed to prune image ${name}: ${errorMessage(error)}`);
    }
    return [];
  }
}

/** Removes what the filters choose among the images that nothing uses. Gives what happened and the bytes that it freed. */
export async function pruneImages(context: ImageContext, filters: Filters): Promise<PrunedImages> {
  const dangling = danglingOnly(filters);
  const chosen = candidates(context, filters, dangling);
  const sizes = layerSizes(context, chosen);
  const deleted: ImageDeleteItem[] = [];
  for (const { id } of chosen) {
    const names = context.references.read().of(id);
    const only = { id, nameless: dangling };
    const words = names.length === 0 ? [id.slice('sha256:'.length)] : names.map(familiarString);
    for (const word of words) deleted.push(...(await removeOne(context, word, { only })));
  }
  const freed = deleted.map((item) => ('Deleted' in item ? (sizes.get(item.Deleted) ?? 0) : 0));
  return { deleted, spaceReclaimed: freed.reduce((sum, size) => sum + size, 0) };
}
