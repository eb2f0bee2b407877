/**
 * Writes an archive of an image with one large layer to standard output: `stream-image.ts BYTES`. A quarter of the bytes
 * is in files of 16 KiB, the rest in one file. Always the same bytes, none of them zero, so that nothing is sparse.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { encodeHeader, endOfArchive, padding } from '../src/archive/writer.ts';
import { makeImage, tarOf } from '../test/helpers/images.ts';

/** What the image is called. */
export const streamedTag = 'bench:streamed';

const smallFile = 16 * 1024;
const folderSize = 1000;
const block = Buffer.alloc(1 << 20);
for (let at = 0, state = 1; at < block.length; at++) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  block[at] = (state >>> 24) | 1;
}

/** The layer's bytes. A chunk is good until the next is asked for. */
export function* layerOf(bytes: number): Generator<Buffer> {
  const files = Math.floor(bytes / 4 / smallFile);
  for (let index = 0; index < files; index++) {
    const folder = `small/${Math.floor(index / folderSize)}`;
    if (index === 0) yield directory('small');
    if (index % folderSize === 0) yield directory(folder);
    yield header(`${folder}/${index}`, smallFile);
    yield numbered(index, smallFile);
  }
  const rest = bytes - files * smallFile;
  const large = rest - (rest % block.length);
  yield header('large', large);
  for (let at = 0; at < large; at += block.length) yield numbered(at, block.length);
  yield endOfArchive;
}

/** The archive's bytes: what `docker save` writes, more or less. A chunk is good until the next is asked for. */
export function* archiveOf(bytes: number): Generator<Buffer> {
  const hash = createHash('sha256');
  let size = 0;
  for (const chunk of layerOf(bytes)) {
    hash.update(chunk);
    size += chunk.length;
  }
  const diffId = `sha256:${hash.digest('hex')}`;
  const base: unknown = JSON.parse(makeImage([]).config.toString());
  const config = { ...Object(base), history: [{}], rootfs: { type: 'layers', diff_ids: [diffId] } };
  const manifest = [{ Config: 'config.json', RepoTags: [streamedTag], Layers: ['layer.tar'] }];
  yield withoutEnd(tarOf([{ name: 'config.json', content: JSON.stringify(config) }]));
  yield header('layer.tar', size);
  yield* layerOf(bytes);
  yield tarOf([{ name: 'manifest.json', content: JSON.stringify(manifest) }]);
}

/** A file of a layer. */
export interface FileOfLayer {
  readonly path: string;
  readonly bytes: number;
}

/** So many files of a size, in directories of so many each. */
export function smallFiles(count: number, inEach: number, bytes: number): FileOfLayer[] {
  return Array.from({ length: count }, (_, index) => ({
    path: `small/${Math.floor(index / inEach)}/${index}`,
    bytes,
  }));
}

/** A layer of files, with the directories above them. A chunk is good until the next is asked for. */
export function* layerOfFiles(files: readonly FileOfLayer[]): Generator<Buffer> {
  const made = new Set<string>();
  for (const [index, { path, bytes }] of files.entries()) {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      const folder = path.slice(0, at);
      if (!made.has(folder)) yield directory(folder);
      made.add(folder);
    }
    yield header(path, bytes);
    for (let left = bytes; left > 0; left -= block.length)
      yield numbered(index + left, Math.min(left, block.length));
    yield padding(bytes);
  }
  yield endOfArchive;
}

function withoutEnd(tar: Buffer): Buffer {
  return tar.subarray(0, tar.length - endOfArchive.length);
}

function directory(name: string): Buffer {
  return withoutEnd(tarOf([{ name: `${name}/` }]));
}

function numbered(index: number, length: number): Buffer {
  block.write(String(index).padStart(16, '-'));
  return block.subarray(0, length);
}

function header(name: string, size: number): Buffer {
  return encodeHeader({
    type: 'file',
    name: Buffer.from(name),
    linkName: Buffer.alloc(0),
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: Buffer.from('root'),
    gname: Buffer.from('root'),
    size,
    mtime: { sec: 1_700_000_000, nsec: 0 },
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
  });
}

if (import.meta.main) {
  for (const chunk of archiveOf(Number(process.argv[2]))) {
    for (let at = 0; at < chunk.length; ) at += writeSync(1, chunk, at);
  }
}
