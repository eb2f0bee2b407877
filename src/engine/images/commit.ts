/** `docker commit`: an image of a container. */
import { TsengineError } from '../../errors.ts';
import { mergeConfig } from '../containers/merge-config.ts';
import { parseReference, type Reference, withDefaultTag } from '../references/reference.ts';
import { applyChanges } from './changes/apply.ts';
import type { ImageContext } from './context.ts';
import { createdNow, inheritedFrom, newImageConfig } from './new-config.ts';
import { recordImage } from './record.ts';
import type { CommitRequest } from './types.ts';

/** The digest of an archive of two zero blocks: a layer that changes nothing. Docker leaves it out of new images. */
const EMPTY_LAYER = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

function nameOf(text: string | undefined): Reference[] {
  if (text === undefined || text === '') return [];
  const reference = parseReference(text);
  if (reference.digest !== undefined) {
    throw new TsengineError('InvalidParameter', 'refusing to create a tag with a digest reference');
  }
  return [withDefaultTag(reference)];
}

/** Registers what the container changed as a layer on its image's, and makes an image of it. */
export async function commitContainer(context: ImageContext, request: CommitRequest): Promise<string> {
  const names = nameOf(request.reference);
  const config = mergeConfig(applyChanges(request.config, request.changes), request.config);
  const { image } = request;
  await using batch = context.layers.batch();
  const layer = await batch.add(context.layers.containerDiff(request.containerId), image?.topLayer);
  const isEmpty = layer.diffId === EMPTY_LAYER;
  // Docker registers the layer of no changes as well, and leaves it. Nothing will refer to ours.
  if (isEmpty) await batch.drop(layer);
  const created = createdNow();
  const step = {
    created,
    author: request.author,
    created_by: (request.containerConfig.Cmd ?? []).join(' '),
    comment: request.message,
    empty_layer: isEmpty,
  };
  const raw = newImageConfig({
    ...inheritedFrom(image),
    config,
    created,
    author: request.author,
    container: request.containerId,
    containerConfig: request.containerConfig,
    diffIds: [...(image?.diffIds ?? []), ...(isEmpty ? [] : [layer.diffId])],
    history: [...(image?.history ?? []), step],
  });
  return await batch.commit(() => recordImage(context, batch, raw, names, image?.id));
}
