/** Archives and layouts that other tools write, and what they make of ours. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream, mkdirSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { testRoot } from '../../helpers/engine.ts';
import { collect, dockerArchive, makeImage, manyLayers, streamOf } from '../../helpers/images.ts';

/** Why a tool cannot be asked; `false` when it can. */
function missing(tool: string): string | false {
  return spawnSync(tool, ['--version']).status === 0 ? false : `${tool} is not installed`;
}

const image = makeImage(manyLayers(5));
const run = (tool: string, ...args: string[]): string =>
  execFileSync(tool, args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

describe('skopeo', { skip: missing('skopeo') }, () => {
  const targets: readonly (readonly [
    what: string,
    target: (base: string) => string,
    references: readonly string[],
  ])[] = [
    ['an oci folder', (base) => `oci:${base}/out:name.example/a:1`, ['name.example/a:1']],
    ['an oci-archive', (base) => `oci-archive:${base}/out:name.example/a:1`, ['name.example/a:1']],
    ['a docker-archive', (base) => `docker-archive:${base}/out:a:1`, ['a:1']],
  ];
  for (const [what, target, references] of targets) {
    test(`${what} loads`, async () => {
      using root = testRoot('overlay2');
      await using engine = await root.open();
      writeFileSync(`${root.base}/in`, dockerArchive([{ image, tags: ['a:1'] }]));
      run('skopeo', '--insecure-policy', 'copy', `docker-archive:${root.base}/in`, target(root.base));
      const file = `${root.base}/out`;
      const [loaded] = await engine.images.load(streamOf(Buffer.alloc(0)), { file });
      assert.deepEqual(loaded?.references, references);
      const { RootFS } = await engine.images.inspect(loaded?.id ?? '');
      assert.deepEqual(RootFS, { Type: 'layers', Layers: image.diffIds });
    });
  }

  test('reads what save writes', async () => {
    using root = testRoot('overlay2');
    await using engine = await root.open();
    writeFileSync(`${root.base}/in`, dockerArchive([{ image, tags: ['a:1', 'b:2'] }]));
    await engine.images.load(createReadStream(`${root.base}/in`));
    writeFileSync(`${root.base}/saved`, await collect(engine.images.save(['a:1', 'b:2'])));
    const inspect: unknown = JSON.parse(run('skopeo', 'inspect', `docker-archive:${root.base}/saved:b:2`));
    assert.ok(typeof inspect === 'object' && inspect !== null && 'Layers' in inspect);
    assert.deepEqual(inspect.Layers, image.diffIds);
    const config = run('skopeo', 'inspect', '--raw', '--config', `docker-archive:${root.base}/saved:a:1`);
    assert.equal(config.trim(), image.config.toString());
  });
});

describe('umoci', { skip: missing('umoci') }, () => {
  test('a layout that it made and changed loads', async () => {
    using root = testRoot('overlay2');
    await using engine = await root.open();
    const layout = `${root.base}/layout`;
    run('umoci', 'init', '--layout', layout);
    run('umoci', 'new', '--image', `${layout}:v1`);
    run('umoci', 'unpack', '--image', `${layout}:v1`, `${root.base}/bundle`);
    mkdirSync(`${root.base}/bundle/rootfs/etc`);
    writeFileSync(`${root.base}/bundle/rootfs/etc/made`, 'by umoci');
    run('umoci', 'repack', '--image', `${layout}:v1`, `${root.base}/bundle`);
    run('umoci', 'config', '--image', `${layout}:v1`, '--config.cmd', '/bin/x', '--author', 'me');
    execFileSync('tar', ['-C', layout, '-cf', `${root.base}/layout.tar`, '.']);
    const [loaded] = await engine.images.load(createReadStream(`${root.base}/layout.tar`));
    const [asFolder] = await engine.images.load(streamOf(Buffer.alloc(0)), { file: layout });
    assert.deepEqual(asFolder, loaded);
    assert.deepEqual(loaded?.references, [], 'a tag alone is no name');
    const inspect = await engine.images.inspect(loaded?.id ?? '');
    assert.equal(inspect.Author, 'me');
    assert.ok(typeof inspect.Config === 'object' && inspect.Config !== null && 'Cmd' in inspect.Config);
    assert.deepEqual(inspect.Config.Cmd, ['/bin/x']);
    const saved = await collect(engine.images.save([loaded?.id ?? '']));
    writeFileSync(`${root.base}/s.tar`, saved);
    const listed = execFileSync('tar', ['-tf', `${root.base}/s.tar`])
      .toString()
      .split('\n');
    const layer = listed.find((name) => name.endsWith('layer.tar')) ?? '';
    execFileSync('tar', ['-C', root.base, '-xf', `${root.base}/s.tar`, layer]);
    const made = execFileSync('tar', ['-xO', '-f', `${root.base}/${layer}`, 'etc/made']);
    assert.equal(made.toString(), 'by umoci');
  });
});
