/** A driver's home on another filesystem than the data root, as `driver setup` makes it: two that bring things to disk when they like. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { driverFactory } from '../../../src/drivers/registry.ts';
import { type OpenLayerStore, openLayerStore } from '../../../src/engine/layers/layer-store.ts';
import { openDataRoot } from '../../../src/engine/root.ts';
import { armFaults } from '../../../src/linux/fault.ts';
import { type TestRoot, testRoot } from '../../helpers/engine.ts';
import { manyLayers, streamOf } from '../../helpers/images.ts';
import { atExit, makeFilesystem, unmountBelow } from '../../helpers/loop.ts';

const CONTAINER = 'c'.repeat(64);

async function open(test: TestRoot, driverName: string): Promise<OpenLayerStore & Disposable> {
  const root = await openDataRoot({ dataRoot: test.dataRoot, execRoot: `${test.base}/exec` });
  const context = { options: [], warn: assert.fail, runHome: root.driverRunHome(driverName) };
  const factory = await driverFactory(driverName);
  const driver = await factory.open({ ...context, home: root.driverHome(driverName) });
  const store = openLayerStore({
    root,
    driverName,
    driver: async () => driver,
    imageLayers: () => [],
    imageHasTop: () => false,
    syncLayers: true,
    warn: assert.fail,
  });
  return { ...store, [Symbol.dispose]: () => root[Symbol.dispose]() };
}

/** Mounts a filesystem at the home of a driver whose data root is yet to be made. */
function mountHome(test: TestRoot, driverName: string, words: readonly string[]): void {
  const home = `${test.dataRoot}/${driverName}`;
  mkdirSync(home, { recursive: true });
  execFileSync('mount', [...words, home]);
}

/** Has every sync of a filesystem fail while `work` is done. */
async function withoutSync(work: () => Promise<void>): Promise<void> {
  armFaults([{ call: 'syncfs', nth: 1, andAfter: true, action: 'EIO' }]);
  try {
    await work();
  } finally {
    armFaults([]);
  }
}

describe('a store on another filesystem than its data root', () => {
  test('is synced before the record of a layer comes or goes', async () => {
    using base = testRoot('vfs');
    mountHome(base, 'vfs', ['-t', 'tmpfs', 'tmpfs']);
    using store = await open(base, 'vfs');
    const layer = await store.register(streamOf(manyLayers(1)[0] ?? Buffer.alloc(0)), undefined);
    const tmp = `${base.dataRoot}/image/vfs/layerdb/tmp`;
    const lacking = { code: 'EIO' };
    await withoutSync(() => assert.rejects(store.createContainerLayer(CONTAINER, undefined), lacking));
    assert.equal(store.containerLayer(CONTAINER), undefined);
    await store.createContainerLayer(CONTAINER, undefined);
    await store.recover(async () => {});
    assert.deepEqual(readdirSync(tmp), []);
    await withoutSync(async () => {
      await assert.rejects(store.removeContainerLayer(CONTAINER), lacking);
      await assert.rejects(store.releaseUnused(layer.chainId), lacking);
    });
    assert.equal(readdirSync(tmp).length, 2);
    await store.recover(async () => {});
    assert.deepEqual(readdirSync(tmp), []);
    assert.deepEqual(readdirSync(`${base.dataRoot}/vfs/dir`), []);
  });

  test('costs no sync where both are one', async () => {
    using base = testRoot('vfs');
    using store = await open(base, 'vfs');
    const layer = await store.register(streamOf(manyLayers(1)[0] ?? Buffer.alloc(0)), undefined);
    await withoutSync(async () => {
      await store.createContainerLayer(CONTAINER, layer.chainId, { durable: false });
      await store.removeContainerLayer(CONTAINER);
      await store.releaseUnused(layer.chainId);
    });
    assert.deepEqual(store.list(), []);
  });

  test('of btrfs has what was made and removed by the time that it is told, as a power cut would show', async () => {
    using filesystem = makeFilesystem('btrfs');
    using base = testRoot('btrfs');
    mountHome(base, 'btrfs', ['--bind', filesystem.path]);
    using store = await open(base, 'btrfs');
    const image = `${dirname(filesystem.path)}/image`;
    const cuts = `${base.base}/cuts`;
    mkdirSync(cuts);
    const cut = (name: string): void => {
      execFileSync('cp', ['--sparse=always', image, `${cuts}/${name}`]);
    };
    const { mountId } = await store.createContainerLayer(CONTAINER, undefined);
    cut('made');
    await store.removeContainerLayer(CONTAINER);
    cut('removed');
    // The kernel would take a copy for what it has mounted.
    unmountBelow(base.dataRoot);
    unmountBelow(filesystem.path);
    const mounted = `${base.base}/mounted`;
    mkdirSync(mounted);
    const layersAt = (name: string): readonly string[] => {
      const close = atExit(() => unmountBelow(mounted));
      execFileSync('mount', ['-t', 'btrfs', '-o', 'loop', `${cuts}/${name}`, mounted]);
      try {
        return readdirSync(`${mounted}/subvolumes`);
      } finally {
        close();
      }
    };
    assert.deepEqual(layersAt('made'), [mountId]);
    assert.deepEqual(layersAt('removed'), []);
  });
});
