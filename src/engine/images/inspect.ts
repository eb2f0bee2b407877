/** `docker image inspect` and `docker history`. */
import { TsengineError } from '../../errors.ts';
import { containerConfigSchema } from '../api/container-config.ts';
import type { HistoryItem, ImageInspect } from '../api/services.ts';
import { chainIdsOf } from '../layers/chain-id.ts';
import { familiarString } from '../references/reference.ts';
import { ZERO_TIME } from '../text/timestamp.ts';
import { type ImageContext, lostImage, resolveImage } from './context.ts';
import { unixSeconds } from './image-config.ts';
import { goTime, knownConfig } from './known-config.ts';
import type { Image } from './types.ts';

/** What `docker image inspect` of 20.10.24 shows, key by key. Opens the driver for `GraphDriver`. */
export async function inspectImage(context: ImageContext, name: string): Promise<ImageInspect> {
  const references = context.references.read();
  const image = resolveImage(context, name, references);
  const names = references.of(image.id);
  const { size, data } = await layerFacts(context, image).catch((error: unknown) => {
    throw lostImage(context, image.id, name, error);
  });
  return {
    Id: image.id,
    RepoTags: names.filter(({ digest }) => digest === undefined).map(familiarString),
    RepoDigests: names.filter(({ digest }) => digest !== undefined).map(familiarString),
    Parent: context.images.parentOf(image.id) ?? '',
    Comment: image.comment === '' ? (image.history.at(-1)?.comment ?? '') : image.comment,
    Created: goTime(image.created),
    Container: image.container,
    ContainerConfig: knownConfig(image.containerConfig ?? containerConfigSchema.parse({})),
    DockerVersion: image.dockerVersion,
    Author: image.author,
    Config: image.config === undefined ? null : knownConfig(image.config),
    Architecture: image.architecture,
    ...(image.variant === '' ? {} : { Variant: image.variant }),
    Os: image.os,
    ...(image.osVersion === '' ? {} : { OsVersion: image.osVersion }),
    Size: size,
    VirtualSize: size,
    GraphDriver: { Data: data ?? null, Name: context.driverName },
    RootFS: { Type: 'layers', ...(image.diffIds.length === 0 ? {} : { Layers: image.diffIds }) },
    Metadata: { LastTagTime: context.images.lastTagTime(image.id) },
  };
}

async function layerFacts(context: ImageContext, image: Image) {
  const size = chainIdsOf(image.diffIds).reduce((sum, chainId) => sum + context.layers.size(chainId), 0);
  const data = image.topLayer === undefined ? undefined : await context.layers.metadata(image.topLayer);
  return { size, data };
}

/** The image's history, newest first, with the ids of the images it was made from as far as they are here. */
export function imageHistory(context: ImageContext, name: string): HistoryItem[] {
  const references = context.references.read();
  const image = resolveImage(context, name, references);
  const chain = chainIdsOf(image.diffIds);
  let layer = 0;
  const items = image.history.map((step) => {
    const chainId = step.empty_layer === true ? undefined : chain[layer++];
    if (step.empty_layer !== true && chainId === undefined) {
      throw new TsengineError('Corrupt', 'too many non-empty layers in History section');
    }
    return {
      Comment: step.comment ?? '',
      Created: unixSeconds(step.created ?? ZERO_TIME),
      CreatedBy: step.created_by ?? '',
      Size: chainId === undefined ? 0 : context.layers.size(chainId),
    };
  });
  let at: Image | undefined = image;
  return items.reverse().map((item) => {
    const id: string | undefined = at?.id;
    const tags = id === undefined ? [] : references.of(id).filter(({ digest }) => digest === undefined);
    const parent = id === undefined ? undefined : context.images.parentOf(id);
    at = parent === undefined ? undefined : context.images.get(parent);
    const { Comment, Created, CreatedBy, Size } = item;
    const Tags = tags.length === 0 ? null : tags.map(familiarString);
    return { Comment, Created, CreatedBy, Id: id ?? '<missing>', Size, Tags };
  });
}
