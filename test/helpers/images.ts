/** Layers and image archives, made in memory: quickly, and always the same bytes for the same request. */
import { createHash } from 'node:crypto';
import type { EntryType } from '../../src/archive/types.ts';
import { encodeHeader, endOfArchive, padding } from '../../src/archive/writer.ts';

/** One member of a tar. */
export interface TarMember {
  readonly name: string;
  readonly type?: EntryType;
  readonly content?: Buffer | string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly xattrs?: ReadonlyMap<string, Buffer>;
}

/** A tar of these members. */
export function tarOf(members: readonly TarMember[]): Buffer {
  const parts: Buffer[] = [];
  for (const member of members) {
    const content = Buffer.from(member.content ?? '');
    const type = member.type ?? (member.name.endsWith('/') ? 'directory' : 'file');
    const header = encodeHeader({
      type,
      name: Buffer.from(member.name.replace(/\/$/, '')),
      linkName: Buffer.from(member.link ?? ''),
      mode: member.mode ?? (type === 'directory' ? 0o755 : 0o644),
      uid: member.uid ?? 0,
      gid: member.gid ?? 0,
      uname: Buffer.from('root'),
      gname: Buffer.from('root'),
      size: content.length,
      mtime: { sec: member.mtime ?? 1_700_000_000, nsec: 0 },
      devMajor: 0,
      devMinor: 0,
      xattrs: member.xattrs ?? new Map(),
    });
    parts.push(header, content, padding(content.length));
  }
  return Buffer.concat([...parts, endOfArchive]);
}

/** `sha256:…` of some bytes. */
export function digestOf(data: Buffer | string): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** An image as bytes. */
export interface MadeImage {
  /** `sha256:…` of `config`. */
  readonly id: string;
  readonly config: Buffer;
  readonly layers: readonly Buffer[];
  readonly diffIds: readonly string[];
}

/** Options of `makeImage`. */
export interface MakeImageOptions {
  /** Further keys of the configuration, laid over the usual ones. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly created?: string;
}

/** An image of the given layers. */
export function makeImage(layers: readonly Buffer[], options: MakeImageOptions = {}): MadeImage {
  const created = options.created ?? '2024-05-06T07:08:09.123456789Z';
  const diffIds = layers.map(digestOf);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      config: { Env: ['PATH=/usr/bin:/bin'], Cmd: ['/bin/sh'] },
      created,
      history: layers.map((_, index) => ({ created, created_by: `step ${index}` })),
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: diffIds },
      ...options.config,
    }),
  );
  return { id: digestOf(config), config, layers, diffIds };
}

/**
 * `count` small layers that touch each other: each adds a file and rewrites `etc/shared`; every fourth deletes what the
 * one three below it added, and every fifth makes a directory opaque. `salt` makes different images.
 */
export function manyLayers(count: number, salt = ''): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    tarOf([
      { name: 'etc/' },
      { name: 'etc/shared', content: `${salt}${index}` },
      {
        name: `file-${index}`,
        content: `content of ${salt}${index}\n`.repeat(20),
        mode: index % 2 === 0 ? 0o644 : 0o4755,
      },
      ...(index % 4 === 3 ? [{ name: `.wh.file-${index - 3}` }] : []),
      { name: 'dir/' },
      ...(index % 5 === 4 ? [{ name: 'dir/.wh..wh..opq' }] : []),
      { name: `dir/${index}`, content: String(index) },
    ]),
  );
}

/** What `docker save` would write of images and their names, more or less. */
export function dockerArchive(
  images: readonly { readonly image: MadeImage; readonly tags: readonly string[] | null }[],
): Buffer {
  const members = new Map<string, Buffer>();
  const manifest = images.map(({ image, tags }) => {
    const config = `${image.id.slice(7)}.json`;
    members.set(config, image.config);
    const layers = image.layers.map((layer, index) => {
      const name = `${image.diffIds[index]?.slice(7)}/layer.tar`;
      members.set(name, layer);
      return name;
    });
    return { Config: config, RepoTags: tags, Layers: layers };
  });
  const all = [...members].map(([name, content]) => ({ name, content }));
  return tarOf([...all, { name: 'manifest.json', content: JSON.stringify(manifest) }]);
}

/** An OCI layout as tar. `encode` compresses a layer and says what media type that is. */
export function ociArchive(
  image: MadeImage,
  annotations: Readonly<Record<string, string>>,
  encode: (layer: Buffer) => readonly [data: Buffer, mediaType: string] = (layer) => [
    layer,
    'application/vnd.oci.image.layer.v1.tar',
  ],
): Buffer {
  const blobs = new Map<string, Buffer>();
  const put = (data: Buffer, mediaType: string, more: object = {}): object => {
    const digest = digestOf(data);
    blobs.set(`blobs/sha256/${digest.slice(7)}`, data);
    return { mediaType, digest, size: data.length, ...more };
  };
  const config = put(image.config, 'application/vnd.oci.image.config.v1+json');
  const layers = image.layers.map((layer) => put(...encode(layer)));
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers }));
  const entry = put(manifest, 'application/vnd.oci.image.manifest.v1+json', { annotations });
  return tarOf([
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    ...[...blobs].map(([name, content]) => ({ name, content })),
    { name: 'index.json', content: JSON.stringify({ schemaVersion: 2, manifests: [entry] }) },
  ]);
}

/** Bytes as a stream of chunks. */
export async function* streamOf(data: Buffer, chunk = 65_536): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += chunk) yield data.subarray(at, at + chunk);
}

/** A whole stream. */
export async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of stream) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}
