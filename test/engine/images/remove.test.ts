/** `rmi` where containers use images; what it does without them is compared with Docker in docker.slow.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { driverFactory } from '../../../src/drivers/registry.ts';
import { containerConfigSchema } from '../../../src/engine/api/container-config.ts';
import type { ImageContext, ImageUser } from '../../../src/engine/images/context.ts';
import { FileImageStore } from '../../../src/engine/images/image-store.ts';
import { listImages } from '../../../src/engine/images/list.ts';
import { loadImages } from '../../../src/engine/images/load.ts';
import { newImageConfig } from '../../../src/engine/images/new-config.ts';
import { recordImage } from '../../../src/engine/images/record.ts';
import { removeImage } from '../../../src/engine/images/remove.ts';
import { openLayerStore } from '../../../src/engine/layers/layer-store.ts';
import { parseReference } from '../../../src/engine/references/reference.ts';
import { ReferenceStore } from '../../../src/engine/references/reference-store.ts';
import { openDataRoot } from '../../../src/engine/root.ts';
import { storeState, type TestRoot, testRoot } from '../../helpers/engine.ts';
import { dockerArchive, makeImage, manyLayers, streamOf } from '../../helpers/images.ts';

/** The stores, with containers that are said to exist. */
async function open(base: TestRoot, users: ImageUser[]): Promise<ImageContext> {
  const root = await openDataRoot({ dataRoot: base.dataRoot, execRoot: `${base.base}/exec` });
  const factory = await driverFactory('vfs');
  const context = {
    home: root.driverHome('vfs'),
    runHome: root.driverRunHome('vfs'),
    options: [],
    warn: () => {},
  };
  const driver = await factory.open(context);
  const images = new FileImageStore(root.imageDir('vfs'), () => {});
  const layers = openLayerStore({
    root,
    driverName: 'vfs',
    driver: async () => driver,
    imageLayers: () => images.layersOfAll(),
    imageHasTop: () => false,
    syncLayers: false,
    warn: () => {},
  });
  const references = new ReferenceStore(root.imageDir('vfs'));
  return {
    root,
    driverName: 'vfs',
    images,
    references,
    layers,
    users: async () => users,
    usersSince: async () => [],
    warn: () => {},
  };
}

const IMAGE = makeImage(manyLayers(1));
const SHORT = IMAGE.id.slice(7, 19);
const CONTAINER = 'c'.repeat(64);
const loaded = (tags: string[] | null) => streamOf(dockerArchive([{ image: IMAGE, tags }]));

describe('rmi of an image with containers', () => {
  const rows: readonly {
    readonly tags: string[];
    readonly running: boolean;
    readonly name: string;
    readonly force: boolean;
    readonly result: string | readonly object[];
  }[] = [
    {
      tags: ['a:1'],
      running: false,
      name: 'a:1',
      force: false,
      result: `conflict: unable to remove repository reference "a:1" (must force) - container ${'c'.repeat(12)} is using its referenced image ${SHORT}`,
    },
    { tags: ['a:1', 'b:1'], running: true, name: 'a:1', force: false, result: [{ Untagged: 'a:1' }] },
    {
      tags: ['a:1'],
      running: false,
      name: SHORT,
      force: false,
      result: `conflict: unable to delete ${SHORT} (must be forced) - image is being used by stopped container ${'c'.repeat(12)}`,
    },
    {
      tags: ['a:1'],
      running: true,
      name: SHORT,
      force: true,
      result: `conflict: unable to delete ${SHORT} (cannot be forced) - image is being used by running container ${'c'.repeat(12)}`,
    },
    {
      tags: ['a:1', 'b:1'],
      running: false,
      name: SHORT,
      force: false,
      result: `conflict: unable to delete ${SHORT} (must be forced) - image is referenced in multiple repositories`,
    },
    { tags: ['a:1'], running: true, name: 'a:1', force: true, result: [{ Untagged: 'a:1' }] },
    {
      tags: ['a:1'],
      running: false,
      name: 'a:1',
      force: true,
      result: [{ Untagged: 'a:1' }, { Deleted: IMAGE.id }],
    },
  ];
  for (const { tags, running, name, force, result } of rows) {
    const what = `${running ? 'running' : 'stopped'}, tags ${tags}: rmi ${force ? '-f ' : ''}${name}`;
    test(what, async () => {
      using base = testRoot('vfs');
      const context = await open(base, [{ containerId: CONTAINER, imageId: IMAGE.id, running }]);
      await loadImages(context, loaded(tags));
      // The container's layer keeps the image's, whatever becomes of the image.
      await context.layers.createContainerLayer(CONTAINER, IMAGE.diffIds[0]);
      const work = removeImage(context, name, { force });
      if (typeof result === 'string') {
        await assert.rejects(work, { code: 'Conflict', message: result });
        assert.equal(storeState(base.dataRoot, 'vfs').images.length, 1);
      } else assert.deepEqual(await work, result);
      assert.equal(storeState(base.dataRoot, 'vfs').layers.length, 1);
      await context.layers.removeContainerLayer(CONTAINER);
      const { images, layers, leases, temporary } = storeState(base.dataRoot, 'vfs');
      assert.deepEqual([layers.length, leases, temporary], [images.length, [], []]);
    });
  }
});

describe('images made from images', () => {
  async function family(context: ImageContext): Promise<string[]> {
    await loadImages(context, loaded(['base:1']));
    const ids = [IMAGE.id];
    for (const step of [1, 2]) {
      await using batch = context.layers.batch();
      await batch.use(IMAGE.diffIds[0] ?? '');
      const raw = newImageConfig({
        config: containerConfigSchema.parse({ Labels: { step: String(step) } }),
        created: `2025-01-0${step}T00:00:00Z`,
        diffIds: IMAGE.diffIds,
        history: [],
      });
      const names = step === 2 ? [parseReference('top:1')] : [];
      ids.push(await batch.commit(() => recordImage(context, batch, raw, names, ids.at(-1))));
    }
    return ids;
  }

  test('children keep their parents; with the last child nameless parents go too', async () => {
    using base = testRoot('vfs');
    const context = await open(base, []);
    const [, middle = '', top = ''] = await family(context);
    assert.deepEqual(
      listImages(context).map(({ RepoTags }) => RepoTags),
      [['top:1'], ['base:1']],
    );
    assert.equal(listImages(context, { all: true }).length, 3);
    await assert.rejects(removeImage(context, middle, { force: true }), {
      message: `conflict: unable to delete ${middle.slice(7, 19)} (cannot be forced) - image has dependent child images`,
    });
    const items = await removeImage(context, 'top:1');
    assert.deepEqual(items, [{ Untagged: 'top:1' }, { Deleted: top }, { Deleted: middle }]);
    assert.deepEqual(storeState(base.dataRoot, 'vfs').images, [IMAGE.id.slice(7)]);
  });

  test('--no-prune leaves the parents', async () => {
    using base = testRoot('vfs');
    const context = await open(base, []);
    const [, middle = '', top = ''] = await family(context);
    assert.deepEqual(await removeImage(context, 'top:1', { noPrune: true }), [
      { Untagged: 'top:1' },
      { Deleted: top },
    ]);
    assert.equal(context.images.exists(middle), true);
    assert.deepEqual(listImages(context).at(0)?.RepoTags, ['<none>:<none>']);
  });
});
