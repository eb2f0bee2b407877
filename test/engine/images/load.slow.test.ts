import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Engine } from '../../../src/engine/api/services.ts';
import { storeState, testRoot } from '../../helpers/engine.ts';
import {
  collect,
  digestOf,
  dockerArchive,
  type MadeImage,
  makeImage,
  manyLayers,
  ociArchive,
  streamOf,
  tarOf,
} from '../../helpers/images.ts';

/** The members of a saved archive, by name. */
function unpack(base: string, archive: Buffer): (name: string) => Buffer {
  const folder = `${base}/unpacked-${Math.random()}`;
  mkdirSync(folder);
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
  return (name) => readFileSync(`${folder}/${name}`);
}

/** That the engine has the image, and gives it back as it came. */
async function assertRoundTrip(engine: Engine, base: string, name: string, image: MadeImage): Promise<void> {
  const { Id, RootFS } = await engine.images.inspect(name);
  assert.equal(Id, image.id);
  assert.deepEqual(RootFS, { Type: 'layers', Layers: image.diffIds });
  const read = unpack(base, await collect(engine.images.save([name])));
  const manifest: unknown = JSON.parse(read('manifest.json').toString());
  assert.ok(Array.isArray(manifest));
  const [entry] = manifest;
  assert.deepEqual(read(entry.Config), image.config);
  assert.equal(entry.Layers.length, image.layers.length);
  for (const [index, layer] of entry.Layers.entries()) {
    assert.equal(digestOf(read(layer)), image.diffIds[index], `layer ${index}`);
  }
}

for (const driver of ['overlay2', 'vfs']) {
  describe(`load and save on ${driver}`, () => {
    for (const count of [1, 40, ...(driver === 'vfs' ? [] : [128])]) {
      test(`an archive of ${count} layers comes back byte for byte`, async () => {
        using root = testRoot(driver);
        await using engine = await root.open();
        const image = makeImage(manyLayers(count));
        const archive = dockerArchive([{ image, tags: ['many:1'] }]);
        assert.deepEqual(await engine.images.load(streamOf(archive)), [
          { id: image.id, references: ['many:1'] },
        ]);
        await assertRoundTrip(engine, root.base, 'many:1', image);
        assert.equal(storeState(root.dataRoot, driver).layers.length, count);
        assert.equal(root.warnings.length, count > 125 ? 1 : 0);
        await engine.images.remove('many:1');
        const { locks: _, ...state } = { ...storeState(root.dataRoot, driver), locks: [] };
        assert.deepEqual(Object.values(state).flat(), []);
      });
    }
  });
}

describe('archives', () => {
  const image = makeImage(manyLayers(3));
  const gzip = (layer: Buffer) => [gzipSync(layer), 'application/vnd.oci.image.layer.v1.tar+gzip'] as const;
  const zstd = (layer: Buffer) =>
    [zstdCompressSync(layer), 'application/vnd.oci.image.layer.v1.tar+zstd'] as const;
  const full = {
    'io.containerd.image.name': 'docker.io/library/oci:1',
    'org.opencontainers.image.ref.name': '1',
  };
  const forms: readonly (readonly [name: string, archive: Buffer, reference: string])[] = [
    ['a gzipped docker archive', gzipSync(dockerArchive([{ image, tags: ['g:1'] }])), 'g:1'],
    ['a zstd docker archive', zstdCompressSync(dockerArchive([{ image, tags: ['z:1'] }])), 'z:1'],
    ['an OCI layout', ociArchive(image, full), 'oci:1'],
    ['an OCI layout with gzipped layers', ociArchive(image, full, gzip), 'oci:1'],
    ['an OCI layout with zstd layers', ociArchive(image, full, zstd), 'oci:1'],
    [
      'an OCI layout named by its reference',
      ociArchive(image, { 'org.opencontainers.image.ref.name': 'q.io/a/b:7' }),
      'q.io/a/b:7',
    ],
  ];
  for (const [name, archive, reference] of forms) {
    test(name, async () => {
      using root = testRoot('overlay2');
      await using engine = await root.open();
      assert.deepEqual(await engine.images.load(streamOf(archive)), [
        { id: image.id, references: [reference] },
      ]);
      await assertRoundTrip(engine, root.base, reference, image);
    });
  }

  test('a regular file is read in place, and the stream is left alone', async () => {
    using root = testRoot('overlay2');
    await using engine = await root.open();
    const file = `${root.base}/archive.tar`;
    writeFileSync(file, dockerArchive([{ image, tags: ['f:1'] }]));
    const untouched = {
      [Symbol.asyncIterator]: () => {
        throw new Error('the stream was read');
      },
    };
    const steps: string[] = [];
    await engine.images.load(untouched, {
      file,
      progress: ({ id, action }) => steps.push(`${action} ${id}`),
    });
    await assertRoundTrip(engine, root.base, 'f:1', image);
    assert.deepEqual(
      steps,
      image.diffIds.map((diffId) => `Loading layer ${diffId.slice(7, 19)}`),
    );
    // A second time nothing of the layers is read.
    steps.length = 0;
    await engine.images.load(untouched, { file, progress: ({ id }) => steps.push(id) });
    assert.deepEqual(steps, []);
  });

  test('an OCI index in the index: the image of this machine is taken', async () => {
    using root = testRoot('overlay2');
    await using engine = await root.open();
    const other = makeImage(manyLayers(1, 'other'), { config: { architecture: 's390x' } });
    const blobs = new Map<string, Buffer>();
    const put = (data: Buffer, mediaType: string, more: object = {}): object => {
      blobs.set(`blobs/sha256/${digestOf(data).slice(7)}`, data);
      return { mediaType, digest: digestOf(data), size: data.length, ...more };
    };
    const manifestOf = (one: MadeImage, architecture: string): object => {
      const config = put(one.config, 'application/vnd.oci.image.config.v1+json');
      const layers = one.layers.map((layer) => put(layer, 'application/vnd.oci.image.layer.v1.tar'));
      const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers }));
      return put(manifest, 'application/vnd.oci.image.manifest.v1+json', {
        platform: { os: 'linux', architecture },
      });
    };
    const host = process.arch === 'x64' ? 'amd64' : process.arch;
    const inner = Buffer.from(
      JSON.stringify({ manifests: [manifestOf(other, 's390x'), manifestOf(image, host)] }),
    );
    const entry = put(inner, 'application/vnd.oci.image.index.v1+json', { annotations: full });
    const archive = tarOf([
      ...[...blobs].map(([name, content]) => ({ name, content })),
      { name: 'index.json', content: JSON.stringify({ schemaVersion: 2, manifests: [entry] }) },
    ]);
    assert.deepEqual(await engine.images.load(streamOf(archive)), [{ id: image.id, references: ['oci:1'] }]);
  });

  test('an archive of Docker before 1.10', async () => {
    using root = testRoot('overlay2');
    await using engine = await root.open();
    const [base = '', top = ''] = ['1'.repeat(64), '2'.repeat(64)];
    const created = '2015-01-02T03:04:05.6Z';
    const json = (id: string, parent: string | undefined, command: string) =>
      JSON.stringify({
        id,
        ...(parent === undefined ? {} : { parent }),
        created,
        container_config: { Cmd: ['/bin/sh', '-c', command] },
        config: { Env: ['A=1'], Cmd: ['sh'] },
        architecture: 'amd64',
        os: 'linux',
        Size: 5,
      });
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = image.layers;
    const archive = tarOf([
      { name: 'repositories', content: JSON.stringify({ old: { v1: top } }) },
      ...[base, top].flatMap((id, index) => [
        { name: `${id}/` },
        { name: `${id}/VERSION`, content: '1.0' },
        { name: `${id}/json`, content: json(id, index === 0 ? undefined : base, `step ${index}`) },
        { name: `${id}/layer.tar`, content: index === 0 ? first : second },
      ]),
    ]);
    const [loaded] = await engine.images.load(streamOf(archive));
    assert.deepEqual(loaded?.references, ['old:v1']);
    const inspect = await engine.images.inspect('old:v1');
    assert.deepEqual(inspect.RootFS, { Type: 'layers', Layers: image.diffIds.slice(0, 2) });
    const history = await engine.images.history('old:v1');
    assert.deepEqual(
      history.map(({ CreatedBy }) => CreatedBy),
      ['/bin/sh -c step 1', '/bin/sh -c step 0'],
    );
  });

  test('layers that are the same are one link in what save writes', async () => {
    using root = testRoot('overlay2');
    await using engine = await root.open();
    const [layer = Buffer.alloc(0)] = image.layers;
    const twice = makeImage([layer, layer]);
    await engine.images.load(streamOf(dockerArchive([{ image: twice, tags: ['t:1'] }])));
    const saved = await collect(engine.images.save(['t:1']));
    assert.ok(saved.length < 2 * layer.length + 20_000);
    await assertRoundTrip(engine, root.base, 't:1', twice);
    assert.deepEqual(saved, await collect(engine.images.save(['t:1'])), 'the same bytes again');
    await engine.images.remove('t:1');
    await engine.images.load(streamOf(saved));
    await assertRoundTrip(engine, root.base, 't:1', twice);
  });
});

describe('bad archives', () => {
  const image = makeImage(manyLayers(2));
  const good = { image, tags: ['bad:1'] };
  const [layer = Buffer.alloc(0)] = image.layers;
  const withConfig = (change: Readonly<Record<string, unknown>>): MadeImage =>
    makeImage(image.layers, { config: change });
  const rename = (manifest: unknown) =>
    tarOf([
      { name: 'c.json', content: image.config },
      { name: 'l.tar', content: layer },
      { name: 'manifest.json', content: JSON.stringify(manifest) },
    ]);
  const wrong = Buffer.from(layer);
  // The first byte of `etc/shared`.
  wrong.writeUInt8(wrong.readUInt8(1024) ^ 1, 1024);
  const cut = gzipSync(layer).subarray(0, 200);
  const cases: readonly (readonly [what: string, archive: Buffer, message: RegExp])[] = [
    ['nothing', Buffer.alloc(0), /^not an image archive: it holds neither manifest\.json/],
    ['garbage', Buffer.from('garbage\n'.repeat(100)), /^invalid tar archive: .*not a tar archive/],
    ['a tar of something else', layer, /^not an image archive/],
    ['a cut archive', dockerArchive([good]).subarray(0, 5000), /ends in the middle of/],
    ['a cut gzip', gzipSync(dockerArchive([good])).subarray(0, 400), /gzip/],
    ['a manifest that is no list', rename({}), /^manifest\.json in the archive: .*expected array/],
    [
      'a manifest that is no JSON',
      tarOf([{ name: 'manifest.json', content: '[{"Config":' }]),
      /^manifest\.json in the archive: not JSON at line 1, column 12/,
    ],
    [
      'a manifest with a number',
      rename([{ Config: 7 }]),
      /^manifest\.json in the archive: field "\[0\]\.Config": /,
    ],
    [
      'a missing configuration',
      rename([{ Config: 'x.json', Layers: [] }]),
      /^x\.json is missing in the archive$/,
    ],
    [
      'a missing layer',
      rename([{ Config: 'c.json', Layers: ['l.tar', '../../etc/passwd'] }]),
      /^\.\.\/\.\.\/etc\/passwd is missing in the archive$/,
    ],
    [
      'too few layers',
      rename([{ Config: 'c.json', Layers: ['l.tar'] }]),
      /^invalid manifest, layers length mismatch: expected 1, got 2$/,
    ],
    ['an invalid tag', dockerArchive([{ image, tags: ['bad'] }]), /^invalid tag "bad"$/],
    [
      'a tag that is no reference',
      dockerArchive([{ image, tags: ['A b'] }]),
      /^invalid reference format: repository name must be lowercase$/,
    ],
    [
      'a wrong diff ID',
      dockerArchive([{ image: { ...image, layers: [wrong, ...image.layers.slice(1)] }, tags: null }]),
      /^invalid diffID for layer: expected "sha256:[0-9a-f]{64}", got "sha256:/,
    ],
    ['a cut layer', dockerArchive([{ image: { ...image, layers: [cut, layer] }, tags: null }]), /gzip/],
    [
      'no rootfs',
      dockerArchive([{ image: { ...image, config: Buffer.from('{}') }, tags: null }]),
      /: invalid image JSON, no RootFS key$/,
    ],
    [
      'another system',
      dockerArchive([{ image: withConfig({ os: 'windows' }), tags: null }]),
      /^cannot load windows image on linux$/,
    ],
    [
      'an environment of numbers',
      dockerArchive([{ image: withConfig({ config: { Env: ['A=1', 7] } }), tags: null }]),
      /: field "config\.Env\[1\]": /,
    ],
    [
      'a time that is none',
      dockerArchive([{ image: withConfig({ created: 'yesterday' }), tags: null }]),
      /: field "created": .*RFC 3339/,
    ],
    [
      'a diff ID that is none',
      dockerArchive([{ image: withConfig({ rootfs: { diff_ids: ['../x'] } }), tags: null }]),
      /: field "rootfs\.diff_ids\[0\]": /,
    ],
    ['a blob with another digest', ociArchive(image, {}).fill('x', 3000, 3100), /./],
  ];
  for (const [what, archive, message] of cases) {
    test(`${what}: one line, and nothing left`, async () => {
      using root = testRoot('overlay2');
      await using engine = await root.open();
      await assert.rejects(engine.images.load(streamOf(archive)), (error: unknown) => {
        assert.ok(error instanceof Error);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
      assert.deepEqual(Object.values(storeState(root.dataRoot, 'overlay2')).flat(), []);
    });
  }

  test('a hundred thousand environment variables and null fields are fine', async () => {
    using root = testRoot('overlay2');
    await using engine = await root.open();
    const Env = Array.from({ length: 100_000 }, (_, index) => `VARIABLE_${index}=x`);
    const huge = withConfig({
      config: { Env, Cmd: null, Labels: null, Volumes: null },
      history: null,
      author: null,
    });
    await engine.images.load(streamOf(dockerArchive([{ image: huge, tags: ['huge:1'] }])));
    const { Config } = await engine.images.inspect('huge:1');
    assert.ok(typeof Config === 'object' && Config !== null && 'Env' in Config && Array.isArray(Config.Env));
    assert.equal(Config.Env.length, Env.length);
  });

  test('of several images those before the bad one stay', async () => {
    using root = testRoot('overlay2');
    await using engine = await root.open();
    const second = makeImage(manyLayers(2, 'second'));
    const bad = { ...second, layers: [wrong, ...second.layers.slice(1)] };
    const done: string[] = [];
    const archive = dockerArchive([good, { image: bad, tags: ['bad:2'] }]);
    await assert.rejects(
      engine.images.load(streamOf(archive), { loaded: ({ id }) => done.push(id) }),
      /invalid diffID/,
    );
    assert.deepEqual(done, [image.id]);
    const state = storeState(root.dataRoot, 'overlay2');
    assert.deepEqual(
      [state.images, state.layers.length, state.driverLayers.length],
      [[image.id.slice(7)], 2, 2],
    );
    assert.deepEqual([state.temporary, state.leases], [[], []]);
  });
});
