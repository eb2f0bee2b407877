/** Configurations of images that are made here, byte for byte as Docker 20.10.24 would write them. */
import { type ContainerConfig, containerConfigSchema } from '../api/container-config.ts';
import { goJson } from '../json.ts';
import type { DiffId } from '../layers/types.ts';
import { formatTimestamp, now } from '../text/timestamp.ts';
import { hostArchitecture } from './archive/oci-layout.ts';
import { knownConfig } from './known-config.ts';
import type { Image, ImageHistory } from './types.ts';

/** What `docker_version` says in images made here: the Docker whose formats they have. */
export const DOCKER_VERSION = '20.10.24';

/** What an image is made of. */
export interface NewImage {
  readonly config: ContainerConfig;
  readonly diffIds: readonly DiffId[];
  readonly history: readonly ImageHistory[];
  readonly created: string;
  readonly author?: string;
  readonly comment?: string;
  readonly container?: string;
  readonly containerConfig?: ContainerConfig;
  readonly architecture?: string;
  readonly variant?: string;
  readonly os?: string;
}

/** Now, as configurations have it. */
export function createdNow(): string {
  return formatTimestamp(now());
}

/** Keys of a history entry in Go's order, without empty ones. */
function historyEntry(step: ImageHistory): Record<string, unknown> {
  const { created, author, created_by, comment, empty_layer } = step;
  const all = { created, author, created_by, comment, empty_layer };
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined && value !== '' && value !== false),
  );
}

/** The JSON. Its top-level keys are sorted, as Docker sorts them; the image's id is its digest. */
export function newImageConfig(image: NewImage): Buffer {
  const optional = {
    author: image.author ?? '',
    comment: image.comment ?? '',
    container: image.container ?? '',
    variant: image.variant ?? '',
  };
  const keys = {
    architecture: image.architecture ?? hostArchitecture(),
    config: knownConfig(image.config),
    container_config: knownConfig(image.containerConfig ?? containerConfigSchema.parse({})),
    created: image.created,
    docker_version: DOCKER_VERSION,
    history: image.history.map(historyEntry),
    os: image.os ?? 'linux',
    rootfs: { type: 'layers', ...(image.diffIds.length === 0 ? {} : { diff_ids: image.diffIds }) },
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== '')),
  };
  return Buffer.from(goJson(Object.fromEntries(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1)))));
}

/** The parts of an image that one made from it inherits. */
export function inheritedFrom(image: Image | undefined): Pick<NewImage, 'architecture' | 'variant'> {
  if (image === undefined) return {};
  return {
    ...(image.architecture === '' ? {} : { architecture: image.architecture }),
    ...(image.variant === '' ? {} : { variant: image.variant }),
  };
}
