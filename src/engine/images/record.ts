import type { LayerBatch } from '../layers/types.ts';
import type { Reference } from '../references/reference.ts';
import type { References } from '../references/reference-store.ts';
import type { ImageContext } from './context.ts';
import { imageIdOf } from './image-config.ts';

/**
 * Puts an image on record and gives it its names, in one piece as others see it. Called from `commit` of the batch that
 * holds its layers. A crash leaves the image with its names, or the next start removes what was written of it.
 */
export async function recordImage(
  context: ImageContext,
  batch: LayerBatch,
  raw: Buffer,
  names: readonly Reference[],
  parent?: string,
): Promise<string> {
  using _ = await context.root.lock('images');
  const id = imageIdOf(raw);
  const fresh = !context.images.exists(id);
  if (fresh) batch.announce(id);
  const before = names.length === 0 ? undefined : context.references.read();
  try {
    // The image it was made from may have gone while the layer was read.
    const from = parent !== undefined && context.images.exists(parent) ? parent : undefined;
    await context.images.create(raw, from);
    if (names.length > 0) {
      context.images.setTagged(id);
      const references = context.references.read();
      for (const name of names) references.tag(name, id);
      context.references.write(references);
    }
  } catch (error) {
    takeBack(context, fresh ? id : undefined, before);
    throw error;
  }
  return id;
}

/** Makes the stores what they were. What fails here as well is left to the next start: the first error is what people must see. */
function takeBack(context: ImageContext, id: string | undefined, before: References | undefined): void {
  try {
    if (before !== undefined && context.references.read().toJson() !== before.toJson()) {
      context.references.write(before);
    }
    if (id !== undefined) context.images.delete(id);
  } catch {
    // The image is announced, and goes at the next start unless it has its name.
  }
}
