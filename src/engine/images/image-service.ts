/** The image service: Docker's image commands on the stores. What only some commands need is loaded by them. */

import { TsengineError } from '../../errors.ts';
import type { ImageService, LoadedImage } from '../api/services.ts';
import { withDefaultTag } from '../references/reference.ts';
import { type ImageContext, parseName, resolveImage } from './context.ts';
import { imageHistory, inspectImage } from './inspect.ts';
import { listImages } from './list.ts';
import type { ImageLookup } from './types.ts';

/** The service that the command line uses. */
export function createImageService(context: ImageContext): ImageService {
  return {
    list: async (options) => listImages(context, options),
    inspect: (name) => inspectImage(context, name),
    history: async (name) => imageHistory(context, name),
    tag: (source, target) => tagImage(context, source, target),
    remove: async (name, options) => (await import('./remove.ts')).removeImage(context, name, options),
    import: async (tar, options) => (await import('./import.ts')).importImage(context, tar, options),
    load: async (archive, options): Promise<LoadedImage[]> =>
      (await import('./load.ts')).loadImages(context, archive, options),
    async *save(names, options = {}) {
      yield* (await import('./save.ts')).saveImages(context, names, options.progress);
    },
  };
}

/** What containers need of images. */
export function createImageLookup(context: ImageContext): ImageLookup {
  return {
    resolve: (name) => resolveImage(context, name),
    commit: async (request) => (await import('./commit.ts')).commitContainer(context, request),
  };
}

/** Gives an image one more name, taken from another image if need be. */
async function tagImage(context: ImageContext, source: string, target: string): Promise<void> {
  const parsed = parseName(target);
  if ('id' in parsed || parsed.reference.digest !== undefined) {
    throw new TsengineError('InvalidParameter', 'refusing to create a tag with a digest reference');
  }
  using _ = await context.root.lock('images');
  const references = context.references.read();
  const image = resolveImage(context, source, references);
  references.tag(withDefaultTag(parsed.reference), image.id);
  context.references.write(references);
  context.images.setTagged(image.id);
}
