/** What `docker save` writes. Source: Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format". */
import * as z from 'zod/mini';
import { parseJson } from '../../json.ts';
import { MAX_CONFIG_BYTES } from '../image-config.ts';
import type { ArchiveFile } from './archive-file.ts';
import type { ArchivedImage } from './archived-image.ts';

const manifestSchema = z.array(
  z.looseObject({
    Config: z.string(),
    RepoTags: z.nullish(z.array(z.string())),
    Layers: z.nullish(z.array(z.string())),
    Parent: z.nullish(z.string()),
  }),
);

/** Images of an archive with a `manifest.json`. */
export function readDockerArchive(archive: ArchiveFile): ArchivedImage[] {
  const source = 'manifest.json in the archive';
  const manifest = parseJson(archive.bytes('manifest.json', MAX_CONFIG_BYTES), manifestSchema, source);
  return manifest.map((item) => ({
    config: archive.bytes(item.Config, MAX_CONFIG_BYTES),
    configName: `${item.Config} in the archive`,
    layers: item.Layers ?? [],
    tags: item.RepoTags ?? [],
    parent: item.Parent ?? undefined,
  }));
}
