import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { GraphDriver } from '../../../src/drivers/driver.ts';
import { driverFactory } from '../../../src/drivers/registry.ts';
import { chainIdsOf } from '../../../src/engine/layers/chain-id.ts';
import { type OpenLayerStore, openLayerStore } from '../../../src/engine/layers/layer-store.ts';
import { type DataRoot, openDataRoot } from '../../../src/engine/root.ts';
import { storeState, type TestRoot, testRoot } from '../../helpers/engine.ts';
import { collect, digestOf, manyLayers, streamOf, tarOf } from '../../helpers/images.ts';

/** A layer store without an image store: `images` are the diff IDs of what would be on record. */
interface Opened extends Disposable {
  readonly root: DataRoot;
  readonly store: OpenLayerStore;
  readonly driver: GraphDriver;
  readonly images: string[][];
}

async function open(test: TestRoot, driverName: string): Promise<Opened> {
  const root = await openDataRoot({ dataRoot: test.dataRoot, execRoot: `${test.base}/exec` });
  const factory = await driverFactory(driverName);
  const home = root.driverHome(factory.name);
  const driver = await factory.open({
    home,
    runHome: root.driverRunHome(driverName),
    options: [],
    warn: () => {},
  });
  const images: string[][] = [];
  const store = openLayerStore({
    root,
    driverName,
    driver: async () => driver,
    imageLayers: () => images,
    imageHasTop: () => false,
    syncLayers: true,
    warn: (message) => test.warnings.push(message),
  });
  return { root, store, driver, images, [Symbol.dispose]: () => root[Symbol.dispose]() };
}

const containerId = (): string => randomBytes(32).toString('hex');
const LAYERS = manyLayers(4);
const DIFF_IDS = LAYERS.map(digestOf);
const CHAIN = chainIdsOf(DIFF_IDS);

/** Registers the first `count` layers. */
async function registerAll({ store }: Opened, count = LAYERS.length): Promise<void> {
  for (let index = 0; index < count; index++) {
    await store.register(streamOf(LAYERS[index] ?? Buffer.alloc(0)), CHAIN[index - 1]);
  }
}

for (const driverName of ['overlay2', 'vfs']) {
  describe(`the layer store on ${driverName}`, () => {
    test('registers layers in the form of Docker, and gives their tars back', async () => {
      using base = testRoot(driverName);
      using opened = await open(base, driverName);
      await registerAll(opened);
      const { store } = opened;
      for (const [index, chainId] of CHAIN.entries()) {
        const layer = store.get(chainId);
        assert.equal(layer?.diffId, DIFF_IDS[index]);
        assert.equal(layer?.parent, CHAIN[index - 1]);
        const folder = `${base.dataRoot}/image/${driverName}/layerdb/sha256/${chainId.slice(7)}`;
        const files = ['cache-id', 'diff', 'size', 'tar-split.json.gz', ...(index === 0 ? [] : ['parent'])];
        assert.deepEqual(readdirSync(folder).sort(), files.sort());
        assert.equal(readFileSync(`${folder}/cache-id`, 'utf8'), layer?.cacheId);
        assert.ok(await opened.driver.exists(layer?.cacheId ?? ''));
        assert.deepEqual(await collect(store.tarStream(chainId)), LAYERS[index]);
        assert.equal(await store.tarSize(chainId), LAYERS[index]?.length);
      }
      assert.equal(store.list().length, LAYERS.length);
    });

    test('the same layer again, compressed or not, is the one that is there', async () => {
      using base = testRoot(driverName);
      using opened = await open(base, driverName);
      await registerAll(opened, 1);
      const [layer = Buffer.alloc(0)] = LAYERS;
      const [first] = opened.store.list();
      const again = await opened.store.register(streamOf(gzipSync(layer)), undefined);
      const expected = await opened.store.register(streamOf(Buffer.from('not read')), undefined, {
        expected: digestOf(layer),
      });
      assert.deepEqual([again, expected], [first, first]);
      assert.equal(storeState(base.dataRoot, driverName).driverLayers.length, 1);
    });

    test('bytes after the end of the tar belong to it', async () => {
      using base = testRoot(driverName);
      using opened = await open(base, driverName);
      for (const tail of [Buffer.alloc(10_240), Buffer.from('garbage'), randomBytes(70_000)]) {
        const tar = Buffer.concat([tarOf([{ name: 'f', content: String(tail.length) }]), tail]);
        const layer = await opened.store.register(streamOf(tar), undefined);
        assert.equal(layer.diffId, digestOf(tar));
        assert.deepEqual(await collect(opened.store.tarStream(layer.chainId)), tar);
      }
    });

    test('what cannot be registered leaves nothing', async () => {
      using base = testRoot(driverName);
      using opened = await open(base, driverName);
      const [layer = Buffer.alloc(0)] = LAYERS;
      const expected = `sha256:${'0'.repeat(64)}`;
      const failing = async function* (): AsyncGenerator<Buffer> {
        yield layer.subarray(0, 700);
        throw new Error('the source broke');
      };
      await assert.rejects(
        opened.store.register(streamOf(layer), undefined, { expected }),
        /^TsengineError: invalid diffID for layer: expected "sha256:0/,
      );
      await assert.rejects(opened.store.register(streamOf(gzipSync(layer).subarray(0, 99)), undefined), {
        code: 'Corrupt',
      });
      await assert.rejects(opened.store.register(streamOf(layer.subarray(0, 700)), undefined), {
        code: 'Corrupt',
      });
      await assert.rejects(opened.store.register(failing(), undefined), /the source broke/);
      await assert.rejects(opened.store.register(streamOf(layer), expected), {
        code: 'NotFound',
        message: `layer ${expected} does not exist`,
      });
      assert.deepEqual(Object.values(storeState(base.dataRoot, driverName)).flat(), []);
      assert.deepEqual(
        readdirSync(`${base.dataRoot}/tsengine/locks`).filter((name) => name.startsWith('chain-')),
        [],
      );
    });

    test('a batch that is not committed leaves nothing; one whose image cannot be written neither', async () => {
      using base = testRoot(driverName);
      using opened = await open(base, driverName);
      await registerAll(opened, 1);
      opened.images.push(DIFF_IDS.slice(0, 1));
      const before = storeState(base.dataRoot, driverName);
      for (const commit of [false, true]) {
        const work = async (): Promise<void> => {
          await using batch = opened.store.batch();
          for (const [index, layer] of LAYERS.entries()) {
            const expected = DIFF_IDS[index] ?? '';
            await batch.add(streamOf(layer), CHAIN[index - 1], { expected });
          }
          assert.equal(opened.store.get(CHAIN[1] ?? ''), undefined, 'nobody sees it yet');
          if (!commit) return;
          await batch.commit(() => {
            assert.notEqual(opened.store.get(CHAIN[3] ?? ''), undefined);
            throw new Error('no image');
          });
        };
        if (commit) await assert.rejects(work(), /no image/);
        else await work();
        assert.deepEqual(storeState(base.dataRoot, driverName), before);
      }
    });

    test('layers go when nothing refers to them: images, children, containers, leases', async () => {
      using base = testRoot(driverName);
      using opened = await open(base, driverName);
      await registerAll(opened);
      const { store, images } = opened;
      const [first = '', second = '', third = '', top = ''] = CHAIN;
      images.push(DIFF_IDS.slice(0, 1));
      assert.deepEqual(await store.releaseUnused(second), [], 'a layer on top of it needs it');
      {
        await using batch = store.batch();
        await batch.use(top);
        assert.deepEqual(await store.releaseUnused(top), [], 'a batch needs it');
      }
      const id = containerId();
      await store.createContainerLayer(id, third);
      const gone = await store.releaseUnused(top);
      assert.deepEqual(
        gone.map(({ chainId }) => chainId),
        [top],
        'a container needs the one below',
      );
      await store.removeContainerLayer(id);
      assert.deepEqual(
        store.list().map(({ chainId }) => chainId),
        [first],
        'with the container the rest went, but for the image',
      );
      images.length = 0;
      assert.equal((await store.releaseUnused(first)).length, 1);
      await store.recover(async () => {});
      assert.deepEqual(Object.values(storeState(base.dataRoot, driverName)).flat(), []);
    });

    test('when images cannot all be read nothing goes', async () => {
      using base = testRoot(driverName);
      using opened = await open(base, driverName);
      await registerAll(opened, 1);
      Object.defineProperty(opened.images, Symbol.iterator, {
        value: () => {
          throw new Error('imagedb/content/x: broken');
        },
      });
      assert.deepEqual(await opened.store.releaseUnused(CHAIN[0] ?? ''), []);
      assert.deepEqual(base.warnings, [
        'no layer is removed, because not all references to layers can be read: imagedb/content/x: broken',
      ]);
    });

    test("a container's layer: made, written, compared, removed", async () => {
      using base = testRoot(driverName);
      using opened = await open(base, driverName);
      await registerAll(opened, 2);
      const { store } = opened;
      const id = containerId();
      const made = await store.createContainerLayer(id, CHAIN[1], {
        initialise: (path) => writeFileSync(`${path}/init`, ''),
      });
      assert.equal(made.initId, `${made.mountId}-init`);
      assert.deepEqual(store.containerLayer(id), made);
      assert.deepEqual(readdirSync(`${base.dataRoot}/image/${driverName}/layerdb/mounts/${id}`).sort(), [
        'init-id',
        'mount-id',
        'parent',
        `tsengine-${made.mountId}`,
      ]);
      {
        await using mounted = await store.mountContainerLayer(id);
        assert.ok(existsSync(`${mounted.path}/init`) && existsSync(`${mounted.path}/file-1`));
        writeFileSync(`${mounted.path}/added`, 'x'.repeat(5000));
        rmSync(`${mounted.path}/file-0`);
      }
      const changes = (await store.containerChanges(id)).map(({ kind, path }) => `${kind} ${path}`);
      assert.deepEqual(changes, ['added /added', 'deleted /file-0']);
      assert.ok((await store.containerSize(id)) >= 5000);
      const diff = await collect(store.containerDiff(id));
      const layer = await store.register(streamOf(diff), CHAIN[1]);
      assert.equal(layer.size, 5000);
      await assert.rejects(store.createContainerLayer(id, CHAIN[1]), { code: 'Conflict' });
      await store.removeContainerLayer(id);
      await store.removeContainerLayer(id);
      assert.equal(store.containerLayer(id), undefined);
      await assert.rejects(store.mountContainerLayer(id), { code: 'NotFound' });
    });

    test("a container's layer that cannot be made leaves nothing", async () => {
      using base = testRoot(driverName);
      using opened = await open(base, driverName);
      await registerAll(opened, 1);
      opened.images.push(DIFF_IDS.slice(0, 1));
      const before = storeState(base.dataRoot, driverName);
      const broken = (): never => {
        throw new Error('no init layer');
      };
      await assert.rejects(
        opened.store.createContainerLayer(containerId(), CHAIN[0], { initialise: broken }),
        /no init layer/,
      );
      await assert.rejects(opened.store.createContainerLayer(containerId(), CHAIN[3]), { code: 'NotFound' });
      await assert.rejects(
        opened.store.createContainerLayer(containerId(), CHAIN[0], { storageOptions: { nope: '1' } }),
      );
      assert.deepEqual(storeState(base.dataRoot, driverName), before);
    });
  });
}

describe('layers without an image that somebody holds', () => {
  const none = { layers: [], temporary: [], leases: [], driverLayers: [] };
  const left = (base: TestRoot) => {
    const { layers, temporary, leases, driverLayers } = storeState(base.dataRoot, 'overlay2');
    return { layers, temporary, leases, driverLayers };
  };
  const top = CHAIN[1] ?? '';

  test('stay as long as he does, and then go with the next start', async () => {
    using base = testRoot('overlay2');
    using opened = await open(base, 'overlay2');
    const { store, images } = opened;
    await registerAll(opened, 2);
    images.push(DIFF_IDS.slice(0, 2));
    const batch = store.batch();
    await batch.use(top);
    images.length = 0;
    assert.deepEqual(await store.releaseUnused(top), []);
    await store.recover(async () => {});
    assert.equal(left(base).layers.length, 2);
    await batch[Symbol.asyncDispose]();
    await store.recover(async () => {});
    assert.deepEqual(left(base), none);
  });

  test('stay when he refers to them after all', async () => {
    using base = testRoot('overlay2');
    using opened = await open(base, 'overlay2');
    const { store, images } = opened;
    await registerAll(opened, 2);
    {
      await using batch = store.batch();
      await batch.use(top);
      await store.releaseUnused(top);
      await batch.commit(() => images.push(DIFF_IDS.slice(0, 2)));
    }
    await store.recover(async () => {});
    assert.deepEqual([left(base).layers.length, left(base).leases], [2, []]);
  });

  test('of two dead processes go together', async () => {
    using base = testRoot('overlay2');
    using opened = await open(base, 'overlay2');
    await registerAll(opened, 2);
    for (const name of ['a', 'b'])
      writeFileSync(`${base.dataRoot}/tsengine/leases/${name}`, `${CHAIN[0]}\n${top}\n`);
    await opened.store.recover(async () => {});
    assert.deepEqual(left(base), none);
  });

  test('below a layer in the making go with it', async () => {
    using base = testRoot('overlay2');
    using opened = await open(base, 'overlay2');
    const { store, driver } = opened;
    await registerAll(opened, 2);
    const child = containerId();
    await driver.createReadWrite(child, store.get(top)?.cacheId, {});
    assert.equal((await store.releaseUnused(top)).length, 2);
    assert.equal(left(base).temporary.length, 2);
    await driver.remove(child);
    await store.recover(async () => {});
    assert.deepEqual(left(base), none);
  });
});

describe('a damaged store', () => {
  test('is told apart from an absent layer, by file', async () => {
    using base = testRoot('overlay2');
    using opened = await open(base, 'overlay2');
    await registerAll(opened, 2);
    const folder = `${base.dataRoot}/image/overlay2/layerdb/sha256/${CHAIN[1]?.slice(7)}`;
    const { store } = opened;
    writeFileSync(`${folder}/cache-id`, '../../etc');
    assert.throws(() => store.get(CHAIN[1] ?? ''), {
      code: 'Corrupt',
      message: `${folder}/cache-id: "../../etc" is not what belongs there`,
    });
    rmSync(`${folder}/cache-id`);
    assert.throws(() => store.get(CHAIN[1] ?? ''), {
      message: `${folder}/cache-id is missing: the layer store was damaged`,
    });
    assert.throws(() => store.get('sha256:../../x'), TypeError);
    assert.equal(store.get(CHAIN[3] ?? ''), undefined);
  });

  test("a file changed in a layer's directory is found when the layer leaves", async () => {
    using base = testRoot('overlay2');
    using opened = await open(base, 'overlay2');
    await registerAll(opened, 1);
    const { store } = opened;
    const [layer] = store.list();
    const diff = `${base.dataRoot}/overlay2/${layer?.cacheId}/diff`;
    writeFileSync(`${diff}/etc/shared`, '7');
    await assert.rejects(collect(store.tarStream(CHAIN[0] ?? '')), {
      code: 'Corrupt',
      message: /"etc\/shared".*has other content/,
    });
  });
});
