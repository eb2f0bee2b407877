/**
 * Image configurations: the JSON whose digest is an image's id. Source: OCI image spec, config.md; Docker image spec
 * v1.2. Docker's and the OCI's differ only in keys that one of them leaves out.
 */

import * as z from 'zod/mini';
import { TsengineError } from '../../errors.ts';
import { sha256Hex } from '../../linux/sha256.ts';
import { once } from '../../once.ts';
import { schemaMessage } from '../../schema-message.ts';
import { containerConfigSchema } from '../api/container-config.ts';
import { goInt, goString, omitEmpty } from '../api/go-json.ts';
import { parseJsonText } from '../json.ts';
import { chainIdsOf } from '../layers/chain-id.ts';
import { ZERO_TIME } from '../text/timestamp.ts';
import type { Image } from './types.ts';

/** Bytes of the largest configuration or manifest that is read. Registries stop at 4 MiB. */
export const MAX_CONFIG_BYTES = 8 * 1024 * 1024;

/** RFC 3339, as Go's time.Time reads it. */
const TIME =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d([.,]\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

const configSchema = once(() => {
  const time = z.string().check(z.regex(TIME, 'expected a time as RFC 3339 has it'));
  const digest = z.string().check(z.regex(/^sha256:[0-9a-f]{64}$/, 'expected a sha256 digest'));

  const historySchema = z.looseObject({
    created: omitEmpty(time),
    author: omitEmpty(z.string()),
    created_by: omitEmpty(z.string()),
    comment: omitEmpty(z.string()),
    empty_layer: omitEmpty(z.boolean()),
  });

  return z.looseObject({
    created: omitEmpty(time),
    author: goString(),
    architecture: goString(),
    variant: goString(),
    os: goString(),
    'os.version': goString(),
    comment: goString(),
    docker_version: goString(),
    container: goString(),
    Size: goInt(),
    config: omitEmpty(containerConfigSchema),
    container_config: omitEmpty(containerConfigSchema),
    rootfs: z.looseObject({ type: goString(), diff_ids: z.nullish(z.array(digest)) }),
    history: z.nullish(z.array(historySchema)),
  });
});

/** The id of the image that has this configuration. */
export function imageIdOf(raw: Buffer): string {
  return `sha256:${sha256Hex(raw)}`;
}

/** Reads a configuration that came from `source`. Fails with `Corrupt`, naming `source` and the field that is wrong. */
export function parseImage(raw: Buffer, source: string, id = imageIdOf(raw)): Image {
  const json = parseJsonText(raw, source);
  if (typeof json !== 'object' || json === null || !('rootfs' in json)) {
    throw new TsengineError('Corrupt', `${source}: invalid image JSON, no RootFS key`);
  }
  const result = z.safeParse(configSchema(), json);
  if (!result.success) {
    throw new TsengineError('Corrupt', `${source}: ${schemaMessage(result.error)}`, { cause: result.error });
  }
  const config = result.data;
  const diffIds = config.rootfs.diff_ids ?? [];
  return {
    id,
    raw,
    created: config.created ?? ZERO_TIME,
    author: config.author,
    architecture: config.architecture,
    variant: config.variant,
    os: config.os === '' ? 'linux' : config.os,
    osVersion: config['os.version'],
    comment: config.comment,
    dockerVersion: config.docker_version,
    config: config.config,
    container: config.container,
    containerConfig: config.container_config,
    diffIds,
    topLayer: chainIdsOf(diffIds).at(-1),
    history: (config.history ?? []).map(({ created, author, created_by, comment, empty_layer }) => ({
      ...(created === undefined ? {} : { created }),
      ...(created_by === undefined ? {} : { created_by }),
      ...(author === undefined ? {} : { author }),
      ...(comment === undefined ? {} : { comment }),
      ...(empty_layer === undefined ? {} : { empty_layer }),
    })),
  };
}

/** Seconds since 1970 of a time as configurations have it. */
export function unixSeconds(created: string): number {
  // Date reads at most milliseconds' worth of digits everywhere, and only a point.
  return Math.floor(Date.parse(created.replace(/[.,]\d+/, '')) / 1000);
}
