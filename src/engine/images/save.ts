/**
 * `docker save`: an archive that Docker, podman, skopeo and containerd read. The same images give the same bytes: it has
 * Docker's members in Docker's order, each layer once, and no time but those of the images.
 */

import type { TarEntry } from '../../archive/types.ts';
import { encodeHeader, endOfArchive, padding } from '../../archive/writer.ts';
import { TsengineError } from '../../errors.ts';
import type { Progress } from '../api/services.ts';
import { goJson } from '../json.ts';
import type { ChainId, DiffId } from '../layers/types.ts';
import { familiarName, familiarString, type Reference } from '../references/reference.ts';
import type { References } from '../references/reference-store.ts';
import { type ImageContext, noSuchImage, parseName } from './context.ts';
import { unixSeconds } from './image-config.ts';
import type { Image } from './types.ts';
import { v1Layers } from './v1-id.ts';

interface Wanted {
  readonly image: Image;
  readonly names: Reference[];
}

/** What a member holds. */
type Content =
  | { readonly directory: true }
  | { readonly data: Buffer }
  | { readonly link: string }
  | { readonly layer: ChainId; readonly diffId: DiffId };

interface Member {
  readonly path: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly content: Content;
}

/** The images that names stand for, each once: a repository without a tag stands for all its tags, as in Docker. */
function wantedImages(context: ImageContext, names: readonly string[]): Wanted[] {
  const references = context.references.read();
  const wanted = new Map<string, Wanted>();
  const add = (id: string, reference: Reference | undefined, name: string): void => {
    const known = wanted.get(id);
    const image = known?.image ?? context.images.get(id);
    if (image === undefined) throw noSuchImage(parseName(name));
    const { names: had } = known ?? { names: [] };
    const isNew =
      reference !== undefined && !had.some((one) => familiarString(one) === familiarString(reference));
    wanted.set(id, { image, names: isNew ? [...had, reference] : had });
  };
  for (const name of names) {
    for (const { id, reference } of meaningOf(context, references, name)) add(id, reference, name);
  }
  return [...wanted.values()];
}

interface Meaning {
  readonly id: string;
  readonly reference: Reference | undefined;
}

function meaningOf(context: ImageContext, references: References, name: string): Meaning[] {
  const parsed = parseName(name);
  if ('id' in parsed) return [{ id: parsed.id, reference: undefined }];
  const { reference } = parsed;
  const isBare = reference.tag === undefined && reference.digest === undefined;
  if (!isBare && familiarName(reference) !== 'sha256') {
    const id = references.get(reference);
    if (id === undefined) throw new TsengineError('NotFound', 'reference does not exist');
    return [{ id, reference }];
  }
  const all = isBare ? references.ofRepository(reference) : [];
  if (all.length > 0) return all;
  const [id, ...others] = context.images.matching(name);
  if (others.length > 0) throw new TsengineError('InvalidParameter', 'ambiguous digest string');
  if (id === undefined) throw new TsengineError('NotFound', `No such image: ${name}`);
  return [{ id, reference: undefined }];
}

/** The image that it was made from on this machine, if the archive has that too: as Docker, which knows it again at `load`. */
function parentIn(context: ImageContext, wanted: readonly Wanted[], id: string): { Parent?: string } {
  const parent = context.images.parentOf(id);
  return parent !== undefined && wanted.some(({ image }) => image.id === parent) ? { Parent: parent } : {};
}

/** All members but the end of the archive, in the order of their paths. */
function membersOf(context: ImageContext, wanted: readonly Wanted[]): Member[] {
  const members: Member[] = [];
  const folders = new Set<string>();
  const layerPaths = new Map<DiffId, string>();
  const manifest: unknown[] = [];
  const repositories = new Map<string, Map<string, string>>();
  for (const { image, names } of wanted) {
    if (image.diffIds.length === 0)
      throw new TsengineError('InvalidParameter', 'empty export - not implemented');
    const time = Math.max(0, unixSeconds(image.created));
    const layers = v1Layers(image);
    for (const [index, { id, chainId, json }] of layers.entries()) {
      if (folders.has(id)) continue;
      folders.add(id);
      const diffId = image.diffIds[index] ?? '';
      const earlier = layerPaths.get(diffId);
      const path = `${id}/layer.tar`;
      if (earlier === undefined) layerPaths.set(diffId, path);
      members.push(
        { path: id, time, content: { directory: true } },
        { path: `${id}/VERSION`, time, content: { data: Buffer.from('1.0') } },
        { path: `${id}/json`, time, content: { data: Buffer.from(json) } },
        {
          path,
          time,
          content: earlier === undefined ? { layer: chainId, diffId } : { link: `../${earlier}` },
        },
      );
    }
    const config = `${image.id.slice('sha256:'.length)}.json`;
    members.push({ path: config, time, content: { data: image.raw } });
    const tagged = names.filter(({ tag, digest }) => tag !== undefined && digest === undefined);
    for (const name of tagged) {
      const tags = repositories.get(familiarName(name)) ?? new Map<string, string>();
      repositories.set(familiarName(name), tags.set(name.tag ?? '', layers.at(-1)?.id ?? ''));
    }
    manifest.push({
      Config: config,
      RepoTags: tagged.length === 0 ? null : tagged.map(familiarString),
      Layers: layers.map(({ id }) => `${id}/layer.tar`),
      ...parentIn(context, wanted, image.id),
    });
  }
  members.push({ path: 'manifest.json', time: 0, content: { data: Buffer.from(`${goJson(manifest)}\n`) } });
  if (repositories.size > 0) {
    const sorted = (map: ReadonlyMap<string, unknown>): [string, unknown][] =>
      [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    const named = sorted(
      new Map(
        sorted(repositories).map(([name]) => [
          name,
          Object.fromEntries(sorted(repositories.get(name) ?? new Map())),
        ]),
      ),
    );
    const data = Buffer.from(`${goJson(Object.fromEntries(named))}\n`);
    members.push({ path: 'repositories', time: 0, content: { data } });
  }
  return members.sort((a, b) => comparePaths(a.path, b.path));
}

/** By components, as a walk over sorted directories finds them. */
function comparePaths(a: string, b: string): number {
  const [left, right] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')];
  return left < right ? -1 : left === right ? 0 : 1;
}

const EMPTY = Buffer.alloc(0);
const ROOT = Buffer.from('root');

function header(member: Member, size: number): Buffer {
  const { content } = member;
  const type = 'directory' in content ? 'directory' : 'link' in content ? 'symlink' : 'file';
  const entry: TarEntry = {
    type,
    name: Buffer.from(member.path),
    linkName: 'link' in content ? Buffer.from(content.link) : EMPTY,
    mode: type === 'directory' ? 0o755 : type === 'symlink' ? 0o777 : 0o644,
    uid: 0,
    gid: 0,
    uname: ROOT,
    gname: ROOT,
    size,
    mtime: { sec: member.time, nsec: 0 },
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
  };
  return encodeHeader(entry);
}

/** Writes the archive. What names mean is settled before the first byte; a damaged layer ends the stream with an error. */
export async function* saveImages(
  context: ImageContext,
  names: readonly string[],
  progress?: Progress,
): AsyncGenerator<Buffer> {
  const wanted = wantedImages(context, names);
  try {
    yield* archiveOf(context, wanted, progress);
  } catch (error) {
    // Another process has removed it under our hands: that is the reason, not what is missing of it.
    const lost = wanted.find(({ image }) => !context.images.exists(image.id));
    if (lost === undefined) throw error;
    throw new TsengineError('NotFound', `No such image: ${lost.image.id}`, { cause: error });
  }
}

async function* archiveOf(
  context: ImageContext,
  wanted: readonly Wanted[],
  progress: Progress | undefined,
): AsyncGenerator<Buffer> {
  for (const member of membersOf(context, wanted)) {
    const { content } = member;
    if ('layer' in content) yield* layerMember(context, member, content, progress);
    else if ('data' in content) {
      const { data } = content;
      yield Buffer.concat([header(member, data.length), data, padding(data.length)]);
    } else yield header(member, 0);
  }
  yield endOfArchive;
}

async function* layerMember(
  context: ImageContext,
  member: Member,
  { layer, diffId }: { readonly layer: ChainId; readonly diffId: DiffId },
  progress: Progress | undefined,
): AsyncGenerator<Buffer> {
  const total = await context.layers.tarSize(layer);
  const id = diffId.slice('sha256:'.length, 'sha256:'.length + 12);
  yield header(member, total);
  let current = 0;
  for await (const chunk of context.layers.tarStream(layer)) {
    current += chunk.length;
    yield chunk;
    progress?.({ id, action: 'Saving layer', current, total });
  }
  if (current !== total) {
    throw new TsengineError(
      'Corrupt',
      `layer ${diffId} has ${current} bytes, and its tar-split says ${total}`,
    );
  }
  yield padding(total);
}
