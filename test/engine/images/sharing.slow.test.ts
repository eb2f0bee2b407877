/** Several processes on one data root. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { runChild, storeState, testRoot } from '../../helpers/engine.ts';
import { dockerArchive, makeImage, manyLayers } from '../../helpers/images.ts';

describe('at once', () => {
  test('four processes load one archive: the work is done once', async () => {
    using root = testRoot('overlay2');
    const image = makeImage(manyLayers(12));
    const file = `${root.base}/a.tar`;
    writeFileSync(file, dockerArchive([{ image, tags: ['a:1'] }]));
    const results = await Promise.all(
      ['load', 'loadFile', 'load', 'loadFile'].map((how) => runChild(root, [how, file])),
    );
    for (const { code, stderr } of results) assert.equal(code, 0, stderr);
    const state = storeState(root.dataRoot, 'overlay2');
    assert.deepEqual([state.images.length, state.layers.length, state.driverLayers.length], [1, 12, 12]);
    assert.deepEqual([state.temporary, state.leases], [[], []]);
  });

  test('images that share layers come and go in four processes, and nothing of the others is lost', async () => {
    using root = testRoot('overlay2');
    const shared = manyLayers(3);
    const images = [0, 1, 2, 3].map((n) => makeImage([...shared, ...manyLayers(1, `own ${n}`)]));
    for (const [n, image] of images.entries()) {
      writeFileSync(`${root.base}/${n}.tar`, dockerArchive([{ image, tags: [`i:${n}`] }]));
    }
    await Promise.all(
      images.map(async (_, n) => {
        for (let round = 0; round < 3; round++) {
          const loaded = await runChild(root, ['load', `${root.base}/${n}.tar`]);
          assert.equal(loaded.code, 0, loaded.stderr);
          if (n % 2 === 0) continue;
          const removed = await runChild(root, ['remove', `i:${n}`]);
          assert.equal(removed.code, 0, removed.stderr);
        }
      }),
    );
    await using engine = await root.open();
    assert.deepEqual(
      (await engine.images.list()).flatMap(({ RepoTags }) => RepoTags),
      ['i:0', 'i:2'],
    );
    const state = storeState(root.dataRoot, 'overlay2');
    assert.deepEqual([state.layers.length, state.driverLayers.length], [5, 5]);
    assert.deepEqual([state.temporary, state.leases], [[], []]);
  });
});
