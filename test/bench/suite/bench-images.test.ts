/** Images of the suite are always the same bytes, and a volume has the same files. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Layer, layerTar, writeArchive, writeTree } from '../../../bench/suite/measure/images.ts';
import {
  binaryTree,
  imageOf,
  largeFile,
  lowerCopies,
  lowerFiles,
  smallFiles,
  sourceTree,
} from '../../../bench/suite/measure/trees.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsengine-bench-images-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A whole tar: each piece is good until the next. */
function bytesOf(layer: Layer): Buffer {
  const pieces: Buffer[] = [];
  for (const piece of layerTar(layer)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** Names, sizes and contents of a tree, in order. */
function tree(path: string): string {
  return execFileSync('sh', ['-c', 'find . -type f | sort | xargs -r sha256sum'], {
    cwd: path,
    encoding: 'utf8',
  });
}

test('a volume has what a container sees of the layers', () => {
  const layers = [
    smallFiles(250, 300, 2),
    sourceTree('bench/tree'),
    largeFile(3 << 20),
    binaryTree('bench/t', 3),
  ];
  const [unpacked, written] = [join(folder, 'unpacked'), join(folder, 'written')];
  mkdirSync(unpacked);
  mkdirSync(join(written, 'bench'), { recursive: true });
  for (const layer of layers)
    execFileSync('tar', ['-x', '-C', unpacked], {
      input: bytesOf(layer),
    });
  writeTree(layers, written);
  assert.equal(tree(written), tree(unpacked));
  assert.match(tree(written), /bench\/t\/0\/1\/1\/oh-hi/);
});

test('contents are always the same, and nothing compresses them', () => {
  const bytes = (): Buffer => bytesOf(largeFile(2 << 20));
  const first = bytes();
  assert.ok(first.equals(bytes()));
  assert.ok(gzipSync(first).length > 0.95 * first.length);
  const pages = new Set<string>();
  for (let at = 1024; at + 4096 <= first.length; at += 4096)
    pages.add(
      createHash('sha256')
        .update(first.subarray(at, at + 4096))
        .digest('hex'),
    );
  assert.ok(pages.size >= (2 << 20) / 4096 - 1);
});

test('the archive says which layers it has', () => {
  const path = join(folder, 'image.tar');
  const image = imageOf('test', [{ kind: 'directory', path: 'bench' }], [largeFile(5000)]);
  writeArchive(image, ['PATH=/tools/bin'], path);
  const member = (name: string): Buffer => execFileSync('tar', ['-xOf', path, name]);
  const [{ RepoTags, Layers }]: [{ RepoTags: string[]; Layers: string[] }] = JSON.parse(
    member('manifest.json').toString(),
  );
  const { rootfs }: { rootfs: { diff_ids: string[] } } = JSON.parse(member('config.json').toString());
  assert.deepEqual(RepoTags, ['tsengine-bench-test:latest']);
  assert.deepEqual(
    Layers.map((name) => `sha256:${createHash('sha256').update(member(name)).digest('hex')}`),
    rootfs.diff_ids,
  );
  assert.ok(readFileSync(path).length % 512 === 0);
});

test('files that are copied up lie as deep as they say', () => {
  const layers = lowerFiles(4096, [1, 10], 2);
  assert.equal(layers.length, 10);
  const depths = layers.flatMap((layer, index) =>
    layer.some((entry) => entry.path.includes('/lower-')) ? [layers.length - index] : [],
  );
  assert.deepEqual(depths, [10, 1]);
  assert.equal(lowerCopies(2 ** 31, [1], false), 1);
  assert.equal(lowerCopies(4096, [1, 10, 50, 100], false), 12);
});
