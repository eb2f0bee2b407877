/**
 * What `docker save` wrote before Docker 1.10: a folder a layer with `json` and `layer.tar`, and a file `repositories`.
 * Source: Docker image specification v1.0. A configuration of today is made of the layers' JSON as Docker makes it.
 */
import * as z from 'zod/mini';
import { TsengineError } from '../../../errors.ts';
import { goJson, parseJson } from '../../json.ts';
import type { DiffId } from '../../layers/types.ts';
import { MAX_CONFIG_BYTES } from '../image-config.ts';
import type { ArchiveFile } from './archive-file.ts';
import type { ArchivedImage } from './archived-image.ts';

const repositoriesSchema = z.record(z.string(), z.record(z.string(), z.string()));
const layerSchema = z.looseObject({
  parent: z.optional(z.string()),
  created: z.optional(z.string()),
  author: z.optional(z.string()),
  comment: z.optional(z.string()),
  container_config: z.nullish(z.looseObject({ Cmd: z.nullish(z.array(z.string())) })),
});
type V1Layer = z.output<typeof layerSchema>;

/** Keys of a layer's JSON that mean nothing in an image's configuration. */
const DROPPED = new Set(['id', 'parent', 'Size', 'parent_id', 'layer_id', 'throwaway']);

/** Images of an archive with `repositories` and no manifest. */
export function readLegacyArchive(archive: ArchiveFile): ArchivedImage[] {
  const source = 'repositories in the archive';
  const repositories = parseJson(archive.bytes('repositories', MAX_CONFIG_BYTES), repositoriesSchema, source);
  const tags = new Map<string, string[]>();
  for (const [name, ids] of Object.entries(repositories)) {
    for (const [tag, id] of Object.entries(ids)) tags.set(id, [...(tags.get(id) ?? []), `${name}:${tag}`]);
  }
  return [...tags].map(([id, names]) => legacyImage(archive, id, names));
}

function legacyImage(archive: ArchiveFile, top: string, tags: readonly string[]): ArchivedImage {
  const ids: string[] = [];
  const steps: V1Layer[] = [];
  for (let id: string | undefined = top; id !== undefined && id !== ''; id = steps[0]?.parent) {
    if (!/^[0-9a-f]{64}$/.test(id)) throw new TsengineError('Corrupt', `${id}: not the id of a layer`);
    if (ids.includes(id))
      throw new TsengineError('Corrupt', `${id}/json in the archive: a layer is its own parent`);
    ids.unshift(id);
    const bytes = archive.bytes(`${id}/json`, MAX_CONFIG_BYTES);
    steps.unshift(parseJson(bytes, layerSchema, `${id}/json in the archive`));
  }
  return {
    config: (diffIds) => Buffer.from(legacyConfig(steps, diffIds)),
    configName: `${top}/json in the archive`,
    layers: ids.map((id) => `${id}/layer.tar`),
    tags,
  };
}

function legacyConfig(steps: readonly V1Layer[], diffIds: readonly DiffId[]): string {
  const history = steps.map(({ created, author, container_config, comment }) => {
    const command = container_config?.Cmd?.join(' ') ?? '';
    return {
      ...(created === undefined ? {} : { created }),
      ...(author === undefined || author === '' ? {} : { author }),
      ...(command === '' ? {} : { created_by: command }),
      ...(comment === undefined || comment === '' ? {} : { comment }),
    };
  });
  const kept = Object.entries(steps.at(-1) ?? {}).filter(([key]) => !DROPPED.has(key));
  const all = [...kept, ['rootfs', { type: 'layers', diff_ids: diffIds }], ['history', history]] as const;
  return goJson(Object.fromEntries([...all].sort(([a], [b]) => (a < b ? -1 : 1))));
}
