/**
 * Layer ids of Docker before 1.10, which `docker save` still writes: folders are named by them, and podman and old
 * Dockers read them. Each is the digest of the layer's JSON of that time. Source: Docker image specification v1.0; the
 * bytes that are hashed were found by comparing with what Docker 20.10.24 writes.
 */
import { createHash } from 'node:crypto';
import { containerConfigSchema } from '../api/container-config.ts';
import { goJson } from '../json.ts';
import { chainIdsOf } from '../layers/chain-id.ts';
import type { ChainId } from '../layers/types.ts';
import { goTime, knownConfig } from './known-config.ts';
import type { Image } from './types.ts';

/** One layer as `docker save` writes it. */
export interface V1Layer {
  /** 64 hexadecimal characters. */
  readonly id: string;
  readonly chainId: ChainId;
  /** The file `json`. */
  readonly json: string;
}

/** What Docker writes as the time of every layer but the top one. */
const EPOCH = '1970-01-01T00:00:00Z';

/** Keys of Go's `V1Image`, in its order, without empty ones. */
function v1Image(image: Image, isTop: boolean): Record<string, unknown> {
  const config = knownConfig((isTop ? image.containerConfig : undefined) ?? containerConfigSchema.parse({}));
  if (!isTop) return { created: EPOCH, container_config: config };
  const all = {
    comment: image.comment,
    created: goTime(image.created),
    container: image.container,
    container_config: config,
    docker_version: image.dockerVersion,
    author: image.author,
    config: image.config === undefined ? undefined : knownConfig(image.config),
    architecture: image.architecture,
    variant: image.variant,
    os: image.os,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '' && value !== undefined));
}

/** The image's layers with their old ids, bottom first. */
export function v1Layers(image: Image): V1Layer[] {
  const chain = chainIdsOf(image.diffIds);
  let parent: string | undefined;
  return chain.map((chainId, index) => {
    const base = v1Image(image, index === chain.length - 1);
    const hashed = {
      ...base,
      layer_id: chainId,
      ...(parent === undefined ? {} : { parent: `sha256:${parent}` }),
    };
    const sorted = Object.fromEntries(Object.entries(hashed).sort(([a], [b]) => (a < b ? -1 : 1)));
    const id = createHash('sha256').update(goJson(sorted)).digest('hex');
    const json = goJson({ id, ...(parent === undefined ? {} : { parent }), ...base, os: image.os });
    parent = id;
    return { id, chainId, json };
  });
}
