/** What `docker save` writes. Source: Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format". */
import * as z from 'zod/mini';
import { TsengineError } from '../../../errors.ts';
import { parseJson, parseJsonText } from '../../json.ts';
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

/** A folder of a registry's blobs (`podman save --format docker-dir`) has a file of the same name and another form. */
function refuseRegistryManifest(manifest: unknown, source: string): void {
  if (typeof manifest !== 'object' || manifest === null || !('schemaVersion' in manifest)) return;
  throw new TsengineError(
    'InvalidParameter',
    `${source} is a registry's manifest: save the image as docker-archive or oci-archive instead`,
  );
}

/** Images of an archive with a `manifest.json`. */
export function readDockerArchive(archive: ArchiveFile): ArchivedImage[] {
  const source = 'manifest.json in the archive';
  const raw = archive.bytes('manifest.json', MAX_CONFIG_BYTES);
  refuseRegistryManifest(parseJsonText(raw, source), source);
  const manifest = parseJson(raw, manifestSchema, source);
  return manifest.map((item) => ({
    config: archive.bytes(item.Config, MAX_CONFIG_BYTES),
    configName: `${item.Config} in the archive`,
    layers: item.Layers ?? [],
    tags: item.RepoTags ?? [],
    parent: item.Parent ?? undefined,
  }));
}
