/** The image service: Docker's image commands on the stores. What only some commands need is loaded by them. */

import type { ImageService, LoadedImage } from '../api/services.ts';
import { type ImageContext, imageFinder, resolveImage } from './context.ts';
import { imageHistory, inspectImage } from './inspect.ts';
import { listImages } from './list.ts';
import type { ImageLookup } from './types.ts';

/** The service that the command line uses. */
export function createImageService(context: ImageContext): ImageService {
  return {
    list: async (options) => listImages(context, options),
    inspect: (name) => inspectImage(context, name),
    history: async (name) => imageHistory(context, name),
    bringing: async (name) => (await import('./other-drivers.ts')).commandToBring(context, name),
    tag: async (source, target) => (await import('./tag.ts')).tagImage(context, source, target),
    remove: async (name, options) => (await import('./remove.ts')).removeImage(context, name, options),
    prune: async (filters) => (await import('./prune.ts')).pruneImages(context, filters),
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
    finder: () => imageFinder(context),
    exists: (id) => context.images.exists(id),
    commit: async (request) => (await import('./commit.ts')).commitContainer(context, request),
  };
}
