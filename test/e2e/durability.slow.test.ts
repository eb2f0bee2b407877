/** The order of system calls by which layers, names, containers and commits become durable, as strace sees it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { tarOf } from '../helpers/images.ts';
import { CONTAINER_OPERATIONS, IMAGE_OPERATIONS, LARGE_LOAD, PAIR_LOAD } from './no-loss/operations.ts';
import { openStage, type Stage } from './no-loss/stage.ts';
import { inOrder, layersAreSynced, trace } from './no-loss/trace.ts';

const skip = spawnSync('strace', ['-V']).status === 0 ? false : 'strace is not installed';

/** The order in which `repositories.json` becomes another. */
function names(driver: string): RegExp[] {
  return [
    /^fsync\(\d+<[^>]*layerdb\/tmp\/tsengine\.file-/,
    /^rename.*layerdb\/tmp\/tsengine\.file-[^"]*", .*repositories\.json"/,
    new RegExp(`^fsync\\(\\d+<[^>]*/image/${driver}>`),
  ];
}

/** The order in which layers, the image on them and its name come; before the image, that it is about to come. */
function image(driver: string, layers = 1): RegExp[] {
  return [
    /^syncfs/,
    ...Array.from({ length: layers }, () => /^rename.*layerdb\/tmp\/tsengine-[^"]*", .*layerdb\/sha256\//),
    /^fsync\(\d+<[^>]*layerdb\/sha256>/,
    /^write\(\d+<[^>]*\/leases\/[^>]*>, "image sha256:/,
    /^fsync\(\d+<[^>]*\/leases\//,
    /^fsync\(\d+<[^>]*\/leases>/,
    /^fsync\(\d+<[^>]*layerdb\/tmp\/tsengine\.file-/,
    /^rename.*layerdb\/tmp\/tsengine\.file-[^"]*", .*imagedb\/content\/sha256\//,
    /^fsync\(\d+<[^>]*imagedb\/content\/sha256>/,
    ...names(driver),
  ];
}

for (const driver of ['overlay2', 'vfs']) {
  describe(`layers on ${driver}`, { skip }, () => {
    let stage: Stage;
    before(async () => {
      stage = openStage(driver, { 'sync-layers': true });
      const [load] = IMAGE_OPERATIONS;
      const commit = CONTAINER_OPERATIONS.find(({ name }) => name === 'commit');
      for (const operation of [load, commit, LARGE_LOAD, PAIR_LOAD]) await operation?.prepare(stage);
      const members = ['one', 'two', 'three'].map((name) => ({ name, content: Buffer.from(name) }));
      writeFileSync(`${stage.base}/own.tar`, tarOf(members));
    });
    after(async () => await stage[Symbol.asyncDispose]());

    const COMMANDS: readonly (readonly [what: string, words: () => string[]])[] = [
      ['load: one that shares a layer', () => ['load', '-i', `${stage.base}/second.tar`]],
      ['load: a worker unpacks it', () => ['load', '-i', `${stage.base}/large.tar`]],
      ['import', () => ['import', `${stage.base}/own.tar`, 'imported:1']],
      ['commit', () => ['commit', 'one', 'committed:1']],
    ];
    for (const [what, words] of COMMANDS) {
      test(`${what}: the data, the layer, the image, its name`, async () => {
        const calls = await trace(stage, words());
        layersAreSynced(calls, driver, 1);
        inOrder(calls, ...image(driver));
      });
    }

    test('load of two images: the data and the layers of one, the image, its name; then the same of the other', async () => {
      const calls = await trace(stage, PAIR_LOAD.words(stage));
      layersAreSynced(calls, driver, 3);
      inOrder(calls, ...image(driver, 2), ...image(driver));
    });

    test('rmi: what is left to do, the name, the image, the record of the layer, the layer', async () => {
      const calls = await trace(stage, ['rmi', 'imported:1']);
      inOrder(
        calls,
        /^write\(\d+<[^>]*\/leases\/[^>]*>, "image sha256:/,
        /^fsync\(\d+<[^>]*\/leases\//,
        /^fsync\(\d+<[^>]*\/leases>/,
        ...names(driver),
        /^unlink.*imagedb\/content\/sha256\//,
        /^fsync\(\d+<[^>]*imagedb\/content\/sha256>/,
        /^rename.*layerdb\/sha256\/[^"]*", .*layerdb\/tmp\/tsengine-/,
        new RegExp(`^rename.*/${driver}/[^.][^"]*", .*/${driver}/\\.tsengine/`),
        /^rmdir.*layerdb\/tmp\/tsengine-/,
      );
      await stage.settle('rmi');
    });

    test('nothing is synced for layers when that is turned off, and all that names them is', async () => {
      await using fast = openStage(driver);
      writeFileSync(`${fast.base}/own.tar`, tarOf([{ name: 'one', content: Buffer.from('one') }]));
      const calls = await trace(fast, ['import', `${fast.base}/own.tar`, 'imported:1']);
      assert.ok(!calls.some(({ name }) => name === 'syncfs'));
      inOrder(calls, ...names(driver));
    });
  });
}

describe('containers', { skip }, () => {
  let stage: Stage;
  before(async () => {
    stage = openStage('overlay2', { 'sync-layers': true });
    await CONTAINER_OPERATIONS[0]?.prepare(stage);
  });
  after(async () => await stage[Symbol.asyncDispose]());

  test('tag: the file, its name, its folder', async () => {
    inOrder(await trace(stage, ['tag', 'small', 'tagged:1']), ...names('overlay2'));
  });

  test('create: the records, the layer, the volumes, the name of the container, its folder', async () => {
    const words = ['create', '--name', 'durable', '-v', '/anonymous', '-v', 'named:/named'];
    const calls = await trace(stage, [...words, '--network', 'none', 'small', 'true']);
    inOrder(
      calls,
      /^rename.*layerdb\/tmp\/tsengine-[^"]*", .*layerdb\/mounts\//,
      /^fsync\(\d+<[^>]*layerdb\/mounts>/,
      /^fsync\(\d+<[^>]*\.new-[0-9a-f]{64}\/config\.v2\.json>/,
      /^fsync\(\d+<[^>]*\.new-[0-9a-f]{64}>/,
      /^rename.*containers\/\.new-/,
      /^fsync\(\d+<[^>]*\/containers>/,
    );
    inOrder(calls, /^fsync\(\d+<[^>]*hostconfig\.json>/, /^rename.*containers\/\.new-/);
    // Which volumes are the container's own is on record before there is any.
    inOrder(
      calls,
      /^write\(\d+<[^>]*\.new-[0-9a-f]{64}\/volumes>/,
      /^rename.*volumes\/named\/\.new-[^"]*", .*volumes\/named\/_data"/,
      /^rename.*volumes\/[0-9a-f]{64}\/\.new-[^"]*", .*_data"/,
      /^rename.*containers\/\.new-/,
    );
  });

  test('start: the changed record replaces the old one when it is on disk', async () => {
    const record = [
      /^fsync\(\d+<[^>]*\.tmp-config\.v2\.json/,
      /^rename.*\.tmp-config\.v2\.json[^"]*", .*config\.v2\.json"/,
    ];
    const calls = await trace(stage, ['start', '-a', 'durable']);
    inOrder(calls, ...record, /^fsync\(\d+<[^>]*containers\/[0-9a-f]{64}>/, ...record);
  });

  test('rm -v: the container is gone for good before anything of it is removed, and it goes last', async () => {
    inOrder(
      await trace(stage, ['rm', '-v', 'durable']),
      /^rename.*containers\/[0-9a-f]{64}", .*containers\/\.(?:old|gone)-/,
      /^fsync\(\d+<[^>]*\/containers>/,
      /^rename.*layerdb\/mounts\//,
      /^unlinkat.*volumes\/[0-9a-f]{64}"/,
      /^unlinkat.*containers\/\.(?:old|gone)-[0-9a-f]{64}"/,
    );
  });
});
