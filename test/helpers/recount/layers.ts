/** The recount's part about layers: `layerdb/` and the driver's folders, each checked against the other. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as z from 'zod/mini';
import { HEX64, linkText, look, names, type Problems, text } from './files.ts';

/** One layer on record. */
export interface CountedLayer {
  readonly chainId: string;
  readonly diffId: string;
  readonly cacheId: string;
  readonly parent: string | undefined;
}

/** A container's layers on record. */
export interface CountedMount {
  readonly containerId: string;
  readonly mountId: string;
  readonly initId: string | undefined;
  readonly parent: string | undefined;
}

/** Larger layers are not read to check their digest. Bytes. */
const READ_UP_TO = 32 * 1024 * 1024;

const splitEntry = z.looseObject({
  type: z.number(),
  name: z.optional(z.string()),
  name_raw: z.optional(z.string()),
  size: z.optional(z.number()),
  payload: z.nullish(z.string()),
});

/** Puts a layer's tar together from its tar-split and its files, and gives the digest. */
function digestOf(tarSplit: string, tree: string): string {
  const hash = createHash('sha256');
  for (const line of gunzipSync(readFileSync(tarSplit)).toString('utf8').split('\n')) {
    if (line === '') continue;
    const entry = z.parse(splitEntry, JSON.parse(line));
    if (entry.type === 2) hash.update(Buffer.from(entry.payload ?? '', 'base64'));
    if (entry.type !== 1 || (entry.size ?? 0) === 0) continue;
    const raw = entry.name_raw === undefined ? undefined : Buffer.from(entry.name_raw, 'base64');
    const name = raw ?? Buffer.from(entry.name ?? '');
    hash.update(readFileSync(Buffer.concat([Buffer.from(`${tree}/`), name])));
  }
  return `sha256:${hash.digest('hex')}`;
}

/** The folder with the layers of a driver, below its own. */
const LAYERS: Readonly<Record<string, string>> = { vfs: '/dir', btrfs: '/subvolumes', overlay2: '' };

function layersOf(dataRoot: string, driver: string): string {
  return `${dataRoot}/${driver}${LAYERS[driver] ?? ''}`;
}

/** Where a driver keeps the files of a layer. */
export function treeOf(dataRoot: string, driver: string, id: string): string {
  const tree = `${layersOf(dataRoot, driver)}/${id}`;
  return driver === 'overlay2' ? `${tree}/diff` : tree;
}

function countLayer(dataRoot: string, driver: string, folder: string, problems: Problems): CountedLayer {
  const value = (name: string): string | undefined => text(`${folder}/${name}`)?.trim();
  const chainId = `sha256:${folder.slice(folder.lastIndexOf('/') + 1)}`;
  const layer = {
    chainId,
    diffId: value('diff') ?? '',
    cacheId: value('cache-id') ?? '',
    parent: value('parent'),
  };
  const { diffId, cacheId, parent } = layer;
  const expected =
    parent === undefined
      ? diffId
      : `sha256:${createHash('sha256').update(`${parent} ${diffId}`).digest('hex')}`;
  problems.expect(chainId === expected, `${folder}: diff and parent make ${expected}`);
  problems.expect(/^\d+$/.test(value('size') ?? ''), `${folder}/size is missing or no number`);
  const tree = treeOf(dataRoot, driver, cacheId);
  if (!problems.expect(look(tree)?.isDirectory() === true, `${folder}: its files ${tree} are missing`))
    return layer;
  if (Number(value('size')) > READ_UP_TO) return layer;
  try {
    const digest = digestOf(`${folder}/tar-split.json.gz`, tree);
    problems.expect(digest === diffId, `${folder}: its files make ${digest}, not ${diffId}`);
  } catch (error) {
    problems.add(`${folder}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return layer;
}

/** All layers on record, by chain ID; each with its parent and with the content that its diff ID says. */
export function countLayers(dataRoot: string, driver: string, problems: Problems): Map<string, CountedLayer> {
  const folder = `${dataRoot}/image/${driver}/layerdb`;
  const found = new Map<string, CountedLayer>();
  for (const name of names(`${folder}/sha256`)) {
    if (!problems.expect(HEX64.test(name), `${folder}/sha256/${name} is left over`)) continue;
    const layer = countLayer(dataRoot, driver, `${folder}/sha256/${name}`, problems);
    found.set(layer.chainId, layer);
  }
  for (const { chainId, parent } of found.values()) {
    problems.expect(
      parent === undefined || found.has(parent),
      `layer ${chainId}: its parent ${parent} is missing`,
    );
  }
  for (const name of names(`${folder}/tmp`)) problems.add(`${folder}/tmp/${name} is left over`);
  return found;
}

/** All containers' layers on record, by container. */
export function countMounts(imageDir: string, problems: Problems): Map<string, CountedMount> {
  const folder = `${imageDir}/layerdb/mounts`;
  const found = new Map<string, CountedMount>();
  for (const containerId of names(folder)) {
    const value = (name: string): string | undefined => text(`${folder}/${containerId}/${name}`)?.trim();
    const mountId = value('mount-id');
    if (!problems.expect(mountId !== undefined, `${folder}/${containerId}/mount-id is missing`)) continue;
    found.set(containerId, {
      containerId,
      mountId: mountId ?? '',
      initId: value('init-id'),
      parent: value('parent'),
    });
  }
  return found;
}

/** Every layer belongs to an image or stands below a container; every one that is needed is there. */
export function checkOwners(
  layers: ReadonlyMap<string, CountedLayer>,
  images: Iterable<{ readonly layers: readonly string[] }>,
  mounts: Iterable<CountedMount>,
  problems: Problems,
): void {
  const owned = new Set<string>();
  for (const image of images) {
    for (const chainId of image.layers) {
      owned.add(chainId);
      problems.expect(layers.has(chainId), `layer ${chainId} of an image is missing`);
    }
  }
  for (const { containerId, parent } of mounts) {
    if (parent === undefined) continue;
    problems.expect(layers.has(parent), `container ${containerId}: layer ${parent} is missing`);
    for (let at = layers.get(parent); at !== undefined && !owned.has(at.chainId); ) {
      owned.add(at.chainId);
      at = at.parent === undefined ? undefined : layers.get(at.parent);
    }
  }
  for (const chainId of layers.keys())
    problems.expect(owned.has(chainId), `layer ${chainId} belongs to nobody`);
}

/** What the driver's layer of each id stands on: the id below, if any. */
function standing(
  layers: ReadonlyMap<string, CountedLayer>,
  mounts: Iterable<CountedMount>,
): Map<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  const cacheId = (chainId: string | undefined): string | undefined =>
    chainId === undefined ? undefined : layers.get(chainId)?.cacheId;
  for (const layer of layers.values()) found.set(layer.cacheId, cacheId(layer.parent));
  for (const { mountId, initId, parent } of mounts) {
    if (initId !== undefined) found.set(initId, cacheId(parent));
    found.set(mountId, initId ?? cacheId(parent));
  }
  return found;
}

/** The driver has the layers on record and no others, and its own references are right. */
export function checkDriver(
  dataRoot: string,
  driver: string,
  layers: ReadonlyMap<string, CountedLayer>,
  mounts: readonly CountedMount[],
  problems: Problems,
): void {
  const needed = standing(layers, mounts);
  problems.expect(
    needed.size === layers.size + mounts.length + mounts.filter(({ initId }) => initId !== undefined).length,
    'two layers on record have one id of the driver',
  );
  const home = `${dataRoot}/${driver}`;
  const folder = layersOf(dataRoot, driver);
  for (const name of names(folder).filter((one) => /^[0-9a-f]{64}(-init)?$/.test(one))) {
    problems.expect(needed.has(name), `${folder}/${name} belongs to nobody`);
  }
  for (const id of needed.keys()) {
    problems.expect(look(treeOf(dataRoot, driver, id)) !== undefined, `layer ${id} of the driver is missing`);
  }
  for (const name of names(`${home}/.tsengine`)) {
    problems.expect(name === 'lock', `${home}/.tsengine/${name} is left over`);
  }
  if (driver === 'overlay2') checkOverlay(home, needed, problems);
  if (driver === 'btrfs') checkSubvolumes(home, needed.keys(), problems);
}

/** The inode of a subvolume's root, which no other folder has. */
const SUBVOLUME_INODE = 256;

function checkSubvolumes(home: string, needed: Iterable<string>, problems: Problems): void {
  for (const name of names(home))
    problems.expect(['subvolumes', '.tsengine'].includes(name), `${home}/${name} does not belong there`);
  for (const id of needed) {
    const path = `${home}/subvolumes/${id}`;
    problems.expect(look(path)?.ino === SUBVOLUME_INODE, `${path} is no subvolume`);
  }
}

function checkOverlay(
  home: string,
  needed: ReadonlyMap<string, string | undefined>,
  problems: Problems,
): void {
  const known = new Set(['l', '.tsengine', 'backingFsBlockDev', ...needed.keys()]);
  for (const name of names(home)) problems.expect(known.has(name), `${home}/${name} does not belong there`);
  const linkOf = (id: string): string => text(`${home}/${id}/link`) ?? '';
  const lowerOf = (id: string | undefined): string[] =>
    id === undefined ? [] : [`l/${linkOf(id)}`, ...lowerOf(needed.get(id))];
  const links = new Set<string>();
  for (const [id, parent] of needed) {
    links.add(linkOf(id));
    problems.expect(
      linkText(`${home}/l/${linkOf(id)}`) === `../${id}/diff`,
      `${home}/l does not lead to ${id}`,
    );
    const lower = text(`${home}/${id}/lower`) ?? '';
    problems.expect(lower === lowerOf(parent).join(':'), `${home}/${id}/lower is ${lower}`);
    if (parent !== undefined) {
      problems.expect(look(`${home}/${id}/work`) !== undefined, `${home}/${id}/work is missing`);
    }
  }
  for (const name of names(`${home}/l`))
    problems.expect(links.has(name), `${home}/l/${name} belongs to nobody`);
}
