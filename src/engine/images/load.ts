/** `docker load`: images from an archive. */
import { INLINE_BYTES } from '../../archive/unpack.ts';
import { prepareUnpacking } from '../../archive/unpack-thread.ts';
import { TsengineError } from '../../errors.ts';
import type { LoadedImage, LoadOptions, Progress } from '../api/services.ts';
import { chainIdOf } from '../layers/chain-id.ts';
import type { ChainId, DiffId, Layer, LayerBatch } from '../layers/types.ts';
import { familiarString, parseReference, type Reference } from '../references/reference.ts';
import { type ArchiveFile, openArchive } from './archive/archive-file.ts';
import type { ArchivedImage, ArchiveReader } from './archive/archived-image.ts';
import { readDockerArchive } from './archive/docker-archive.ts';
import { readLegacyArchive } from './archive/legacy-archive.ts';
import { readOciLayout } from './archive/oci-layout.ts';
import type { ImageContext } from './context.ts';
import { imageIdOf, parseImage } from './image-config.ts';
import { recordImage } from './record.ts';
import type { Image } from './types.ts';

/** Docker refuses images with more layers. Ours may have them; people should know. */
const DOCKER_LAYERS = 125;

/** Forms of archives, by the member that tells them. An archive of today's Docker is also an OCI layout, without names. */
const FORMS: readonly (readonly [member: string, read: ArchiveReader])[] = [
  ['manifest.json', readDockerArchive],
  ['index.json', readOciLayout],
  ['repositories', readLegacyArchive],
];

/** One image of the archive, with everything checked that can be before a layer is read. */
interface Plan {
  readonly archived: ArchivedImage;
  readonly image: Image | undefined;
  readonly references: readonly Reference[];
}

/**
 * Loads all images of an archive, in its order. When one fails, those before it stay and nothing of it does; what can
 * be checked without reading layers is checked for all of them first.
 */
export async function loadImages(
  context: ImageContext,
  source: AsyncIterable<Buffer>,
  options: LoadOptions = {},
): Promise<LoadedImage[]> {
  using archive = await openArchive(context.root, source, options.file);
  const read = FORMS.find(([member]) => archive.member(member) !== undefined)?.[1];
  if (read === undefined) {
    throw new TsengineError(
      'InvalidParameter',
      'not an image archive: it holds neither manifest.json (docker save) nor index.json (an OCI layout)',
    );
  }
  const plans = read(archive).map((archived) => plan(context, archive, archived));
  const isNew = ({ image }: Plan) => image === undefined || !context.images.exists(image.id);
  if (archive.size > INLINE_BYTES && plans.some(isNew)) prepareUnpacking();
  const loaded: LoadedImage[] = [];
  for (const one of plans) {
    const image = await loadOne(context, archive, one, options.progress);
    loaded.push(image);
    options.loaded?.(image);
  }
  return loaded;
}

function plan(context: ImageContext, archive: ArchiveFile, archived: ArchivedImage): Plan {
  const references = archived.tags.map((tag) => {
    const reference = parseReference(tag);
    if (reference.tag !== undefined && reference.digest === undefined) return reference;
    throw new TsengineError('InvalidParameter', `invalid tag ${JSON.stringify(tag)}`);
  });
  const image = Buffer.isBuffer(archived.config)
    ? parseImage(archived.config, archived.configName)
    : undefined;
  if (image !== undefined) checkImage(context, image, archived);
  for (const layer of archived.layers) {
    if (archive.member(layer) === undefined)
      throw new TsengineError('Corrupt', `${layer} is missing in the archive`);
  }
  return { archived, image, references };
}

function checkImage(context: ImageContext, image: Image, archived: ArchivedImage): void {
  if (image.os !== 'linux') {
    throw new TsengineError('InvalidParameter', `cannot load ${image.os} image on linux`);
  }
  if (image.diffIds.length !== archived.layers.length) {
    throw new TsengineError(
      'Corrupt',
      `invalid manifest, layers length mismatch: expected ${archived.layers.length}, got ${image.diffIds.length}`,
    );
  }
  if (image.diffIds.length > DOCKER_LAYERS) {
    context.warn(
      `image ${image.id.slice(7, 19)} has ${image.diffIds.length} layers; Docker takes ${DOCKER_LAYERS} at most`,
    );
  }
}

async function loadOne(
  context: ImageContext,
  archive: ArchiveFile,
  { archived, image, references }: Plan,
  progress: Progress | undefined,
): Promise<LoadedImage> {
  await using batch = context.layers.batch();
  const diffIds: DiffId[] = [];
  let parent: ChainId | undefined;
  for (const [index, member] of archived.layers.entries()) {
    const layer = await loadLayer(batch, archive, member, parent, image?.diffIds[index], progress);
    diffIds.push(layer.diffId);
    parent = layer.chainId;
  }
  const raw = Buffer.isBuffer(archived.config) ? archived.config : archived.config(diffIds);
  if (image === undefined) parseImage(raw, archived.configName);
  const from =
    archived.parent !== undefined && context.images.exists(archived.parent) ? archived.parent : undefined;
  await batch.commit(() => recordImage(context, batch, raw, references, from));
  return { id: imageIdOf(raw), references: references.map(familiarString) };
}

async function loadLayer(
  batch: LayerBatch,
  archive: ArchiveFile,
  member: string,
  parent: ChainId | undefined,
  expected: DiffId | undefined,
  progress: Progress | undefined,
): Promise<Layer> {
  const known = expected === undefined ? undefined : await batch.use(chainIdOf(parent, expected));
  if (known !== undefined) return known;
  const id = (expected?.slice('sha256:'.length) ?? member).slice(0, 12);
  const stream = archive.stream(member, (current, total) =>
    progress?.({ id, action: 'Loading layer', current, total }),
  );
  return await batch.add(stream, parent, expected === undefined ? {} : { expected });
}
