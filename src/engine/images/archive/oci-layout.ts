/** OCI image layouts as tar. Source: OCI image spec, image-layout.md, image-index.md, manifest.md, annotations.md. */
import * as z from 'zod/mini';
import { TsengineError } from '../../../errors.ts';
import { parseJson } from '../../json.ts';
import { imageIdOf, MAX_CONFIG_BYTES } from '../image-config.ts';
import type { ArchiveFile } from './archive-file.ts';
import type { ArchivedImage } from './archived-image.ts';

const descriptorSchema = z.looseObject({
  mediaType: z.optional(z.string()),
  digest: z.string().check(z.regex(/^sha256:[0-9a-f]{64}$/, 'expected a sha256 digest')),
  annotations: z.nullish(z.record(z.string(), z.string())),
  platform: z.nullish(
    z.looseObject({ architecture: z.string(), os: z.string(), variant: z.optional(z.string()) }),
  ),
});
type Descriptor = z.output<typeof descriptorSchema>;

const indexSchema = z.looseObject({ manifests: z.array(descriptorSchema) });
const manifestSchema = z.looseObject({ config: descriptorSchema, layers: z.array(descriptorSchema) });
/** A blob that a descriptor calls neither: one has `manifests`, the other `config`. */
const eitherSchema = z.looseObject({ manifests: z.optional(z.unknown()) });

/** Node's names for architectures, in Go's words. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  ia32: '386',
  arm: 'arm',
};

/** This machine's architecture as images name it. */
export function hostArchitecture(): string {
  return ARCHITECTURES[process.arch] ?? process.arch;
}

/** How deep an index may lie in an index. */
const MAX_DEPTH = 4;

/** Images of an archive with an `index.json`: of several platforms the one of this machine. */
export function readOciLayout(archive: ArchiveFile): ArchivedImage[] {
  const source = 'index.json in the archive';
  const index = parseJson(archive.bytes('index.json', MAX_CONFIG_BYTES), indexSchema, source);
  return pick(index.manifests, source).flatMap((descriptor) =>
    readEntry(archive, descriptor, tagsOf(descriptor), 0),
  );
}

/**
 * The names that an entry of the index gives its image. `io.containerd.image.name` is a whole reference;
 * `org.opencontainers.image.ref.name` may be one, or just a tag, which names nothing here.
 */
function tagsOf(descriptor: Descriptor): string[] {
  const full = descriptor.annotations?.['io.containerd.image.name'];
  if (full !== undefined) return [full];
  const name = descriptor.annotations?.['org.opencontainers.image.ref.name'];
  return name !== undefined && /[:/]/.test(name) ? [name] : [];
}

/** Leaves what is for this machine, among entries that stand for the same name. */
function pick(entries: readonly Descriptor[], source: string): Descriptor[] {
  const groups = new Map<string, Descriptor[]>();
  for (const entry of entries) {
    const key = tagsOf(entry)[0] ?? entry.annotations?.['org.opencontainers.image.ref.name'] ?? '';
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return [...groups.values()].flatMap((group) => {
    if (group.length === 1 || group.every(({ platform }) => !platform)) return group;
    const fits = group.filter(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === hostArchitecture(),
    );
    if (fits.length > 0) return fits.slice(0, 1);
    const offered = group.map(({ platform }) => `${platform?.os}/${platform?.architecture}`).join(', ');
    throw new TsengineError(
      'InvalidParameter',
      `${source}: no image for linux/${hostArchitecture()}, only for ${offered}`,
    );
  });
}

function blobName(digest: string): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

/** A blob that must have the digest it is named by. */
function verified(archive: ArchiveFile, digest: string): Buffer {
  const bytes = archive.bytes(blobName(digest), MAX_CONFIG_BYTES);
  const actual = imageIdOf(bytes);
  if (actual !== digest) {
    throw new TsengineError('Corrupt', `${blobName(digest)} in the archive has the digest ${actual}`);
  }
  return bytes;
}

function readEntry(
  archive: ArchiveFile,
  descriptor: Descriptor,
  tags: readonly string[],
  depth: number,
): ArchivedImage[] {
  const source = `${blobName(descriptor.digest)} in the archive`;
  const bytes = verified(archive, descriptor.digest);
  if (parseJson(bytes, eitherSchema, source).manifests !== undefined) {
    if (depth === MAX_DEPTH) throw new TsengineError('Corrupt', `${source}: indexes in indexes, too many`);
    const inner = pick(parseJson(bytes, indexSchema, source).manifests, source);
    return inner.flatMap((entry) => readEntry(archive, entry, [...tags, ...tagsOf(entry)], depth + 1));
  }
  const manifest = parseJson(bytes, manifestSchema, source);
  const kind = manifest.config.mediaType ?? '';
  if (!/^application\/vnd\.(oci\.image\.config|docker\.container\.image)\.v1\+json$/.test(kind)) {
    throw new TsengineError(
      'InvalidParameter',
      `${source}: ${JSON.stringify(kind)} is not the configuration of an image`,
    );
  }
  return [
    {
      config: verified(archive, manifest.config.digest),
      configName: `${blobName(manifest.config.digest)} in the archive`,
      layers: manifest.layers.map(({ digest }) => blobName(digest)),
      tags: [...new Set(tags)],
    },
  ];
}
