/** What all of the image service's parts work with, and how they find an image by what a user typed. */
import { TsengineError } from '../../errors.ts';
import type { LayerStore } from '../layers/types.ts';
import {
  familiarString,
  isDigest,
  isHexId,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../references/reference.ts';
import type { ReferenceStore, References } from '../references/reference-store.ts';
import type { DataRoot } from '../root.ts';
import type { FileImageStore } from './image-store.ts';
import type { Image } from './types.ts';

/** A container that was made from an image. */
export interface ImageUser {
  readonly containerId: string;
  /** `sha256:…` */
  readonly imageId: string;
  readonly running: boolean;
}

/** What the image service works with. */
export interface ImageContext {
  readonly root: DataRoot;
  /** The storage driver's name. */
  readonly driverName: string;
  readonly images: FileImageStore;
  readonly references: ReferenceStore;
  readonly layers: LayerStore;
  /** All containers with the images they were made from. */
  users(): Promise<readonly ImageUser[]>;
  /** Containers that have appeared since `users`. Called under the `images` lock, under which containers appear. */
  usersSince(known: readonly ImageUser[]): Promise<readonly ImageUser[]>;
  warn(message: string): void;
}

/** What a user's text can mean: a full id, or a reference (which may also be the beginning of an id). */
export type ParsedName = { readonly id: string } | { readonly reference: Reference };

/** Reads a name as Docker does. Fails with `InvalidParameter` in its words (`invalid reference format`). */
export function parseName(name: string): ParsedName {
  if (isHexId(name)) return { id: `sha256:${name}` };
  if (isDigest(name)) return { id: name };
  return { reference: parseReference(name) };
}

/** Docker's error for a name that means no image. */
export function noSuchImage(name: ParsedName): TsengineError {
  const shown = 'id' in name ? name.id : familiarString(withDefaultTag(name.reference));
  return new TsengineError('NotFound', `No such image: ${shown}`);
}

/** What to say of an image whose parts could not be read: if another process has removed it by now, that it is not there. */
export function lostImage(
  context: Pick<ImageContext, 'images'>,
  id: string,
  name: string,
  error: unknown,
): unknown {
  return context.images.exists(id) ? error : noSuchImage(parseName(name));
}

/** The id a name means: a name wins over the beginning of an id. `undefined` when it means none, or several. */
export function findImageId(
  context: Pick<ImageContext, 'images' | 'references'>,
  name: string,
  parsed: ParsedName,
  references?: References,
): string | undefined {
  if ('id' in parsed) return context.images.exists(parsed.id) ? parsed.id : undefined;
  const named = (references ?? context.references.read()).get(withDefaultTag(parsed.reference));
  if (named !== undefined && context.images.exists(named)) return named;
  return context.images.search(name);
}

/** The image a name means. Fails with `NotFound` in Docker's words. */
export function resolveImage(
  context: Pick<ImageContext, 'images' | 'references'>,
  name: string,
  references?: References,
): Image {
  const parsed = parseName(name);
  const id = findImageId(context, name, parsed, references);
  const image = id === undefined ? undefined : context.images.get(id);
  if (image === undefined) throw noSuchImage(parsed);
  return image;
}

/** Finds the ids that names mean, `undefined` for what is no name or means no image. Reads the references once. */
export function imageFinder(
  context: Pick<ImageContext, 'images' | 'references'>,
): (name: string) => string | undefined {
  const references = context.references.read();
  return (name) => {
    try {
      return findImageId(context, name, parseName(name), references);
    } catch (error) {
      if (error instanceof TsengineError && error.code === 'InvalidParameter') return undefined;
      throw error;
    }
  };
}
