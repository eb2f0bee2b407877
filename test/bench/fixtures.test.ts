import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { divide, withParents } from '../../bench/fixtures.ts';
import { archiveOf, layerOf } from '../../bench/stream-image.ts';
import { collect, digestOf } from '../helpers/images.ts';
import { tarTree } from '../helpers/tar-tree.ts';

describe('divide', () => {
  test('keeps order and all entries, in parts of like size', () => {
    const entries = Array.from({ length: 100 }, (_, index) => ({
      index,
      bytes: index < 10 ? 1_000_000 : 10_000,
    }));
    const groups = divide(entries, 5);
    assert.equal(groups.length, 5);
    assert.deepEqual(
      groups.flat().map(({ index }) => index),
      entries.map(({ index }) => index),
    );
    const sizes = groups.map((group) => group.reduce((sum, { bytes }) => sum + bytes, 0));
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
    // Off by one entry at each end, at most.
    assert.ok(
      sizes.every((size) => Math.abs(size - mean) < 2_000_000),
      String(sizes),
    );
    assert.ok(sizes.every((size) => size > 0));
  });

  test('of less than there are parts leaves some empty', () => {
    assert.deepEqual(
      divide([{ bytes: 1 }, { bytes: 1 }], 4).map(({ length }) => length),
      [1, 0, 1, 0],
    );
  });
});

test('withParents names each directory once, before what is in it', () => {
  assert.deepEqual(withParents(['a/b/c', 'a/b/d', 'e']), ['a', 'a/b', 'a/b/c', 'a/b/d', 'e']);
});

describe('the streamed image', () => {
  const size = 8 << 20;
  // Each chunk is good until the next only.
  const copied = (chunks: Iterable<Buffer>) => collect(asStream(chunks));
  async function* asStream(chunks: Iterable<Buffer>): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }

  test('is an archive whose layer has the digest that its configuration says', async () => {
    const archive = await copied(archiveOf(size));
    assert.deepEqual([...(await tarTree([archive])).keys()], ['config.json', 'layer.tar', 'manifest.json']);
    const layer = await copied(layerOf(size));
    assert.ok(archive.includes(digestOf(layer)) && archive.includes(layer));
  });

  test('is as large as it should be, a quarter of it in small files, none of them like another', async () => {
    const layer = await copied(layerOf(size));
    assert.ok(Math.abs(layer.length - size) < size / 10, String(layer.length));
    const files = [...(await tarTree([layer])).values()].filter(({ type }) => type === 'file');
    assert.equal(files.length, size / 4 / (16 * 1024) + 1);
    assert.equal(new Set(files.map(({ content }) => content)).size, files.length);
  });

  test('is the same every time', async () => {
    assert.equal(digestOf(await copied(layerOf(size))), digestOf(await copied(layerOf(size))));
  });
});
