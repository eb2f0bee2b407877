/** OCI image layouts that are folders: what skopeo and umoci really write is in tools.slow.test.ts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type TestRoot, testRoot } from '../../helpers/engine.ts';
import { makeImage, manyLayers, ociArchive, streamOf } from '../../helpers/images.ts';

const image = makeImage(manyLayers(3));

describe('a folder', () => {
  let root: TestRoot;
  let layout: string;
  afterEach(() => root[Symbol.dispose]());
  beforeEach(() => {
    root = testRoot('overlay2');
    layout = `${root.base}/layout`;
    mkdirSync(layout);
    const name = { 'io.containerd.image.name': 'docker.io/library/oci:1' };
    execFileSync('tar', ['-xf', '-', '-C', layout], { input: ociArchive(image, name) });
  });

  const blobs = (): string[] =>
    readdirSync(`${layout}/blobs/sha256`).map((name) => `${layout}/blobs/sha256/${name}`);

  const load = async (file = layout) => {
    await using engine = await root.open();
    return await engine.images.load(streamOf(Buffer.from('not read')), { file });
  };

  test('loads, and may lie behind a symbolic link itself', async () => {
    const wanted = [{ id: image.id, references: ['oci:1'] }];
    assert.deepEqual(await load(), wanted);
    symlinkSync('layout', `${root.base}/link`);
    assert.deepEqual(await load(`${root.base}/link`), wanted);
  });

  test('is not left by a symbolic link: neither a blob that is one, nor a folder of them', async () => {
    for (const blob of blobs()) {
      renameSync(blob, `${blob}.moved`);
      symlinkSync(`${blob}.moved`, blob);
      await assert.rejects(load, /is a symbolic link, or lies behind one/);
      rmSync(blob);
      renameSync(`${blob}.moved`, blob);
    }
    renameSync(`${layout}/blobs`, `${root.base}/elsewhere`);
    symlinkSync('../elsewhere', `${layout}/blobs`);
    await assert.rejects(load, /is a symbolic link, or lies behind one/);
  });

  test('does not wait for a fifo, and does not take a blob that is missing or another', async () => {
    const [blob = ''] = blobs();
    rmSync(blob);
    await assert.rejects(load, /is missing in the archive/);
    execFileSync('mkfifo', [blob]);
    await assert.rejects(load, /\S/);
    rmSync(blob);
    writeFileSync(blob, 'another');
    await assert.rejects(load, /\S/);
    await using engine = await root.open();
    assert.deepEqual(await engine.images.list({ all: true }), []);
  });

  test('without an image in it is what it is: a directory', async () => {
    rmSync(`${layout}/index.json`);
    const failing = async (): Promise<void> => {
      await using engine = await root.open();
      await engine.images.load(streamOf(Buffer.alloc(0)), { file: layout });
    };
    await assert.rejects(failing, /\S/);
  });
});
