/** The order of system calls by which an image becomes durable, as strace sees it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { testRoot } from '../../helpers/engine.ts';
import { dockerArchive, makeImage, manyLayers } from '../../helpers/images.ts';

const CHILD = new URL('../../helpers/engine-child.ts', import.meta.url).pathname;
const skip = spawnSync('strace', ['-V']).status === 0 ? false : 'strace is not installed';

for (const sync of [true, false]) {
  test(`sync-layers ${sync}: what is on disk before what`, { skip }, () => {
    using root = testRoot('overlay2', { 'sync-layers': sync });
    writeFileSync(`${root.base}/a.tar`, dockerArchive([{ image: makeImage(manyLayers(2)), tags: ['a:1'] }]));
    const { warn: _, ...options } = root.options;
    const traced = [
      '-f',
      '-y',
      '-e',
      'trace=rename,renameat,renameat2,fsync,syncfs',
      '-o',
      `${root.base}/trace`,
    ];
    const command = [process.execPath, CHILD, JSON.stringify(options), 'load', `${root.base}/a.tar`];
    const { status, stderr } = spawnSync('strace', [...traced, ...command], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const lines = readFileSync(`${root.base}/trace`, 'utf8').split('\n');
    const first = (pattern: RegExp): number => lines.findIndex((line) => pattern.test(line));
    const last = (pattern: RegExp): number => lines.findLastIndex((line) => pattern.test(line));

    const register = /rename.*layerdb\/tmp\/tsengine-[^"]*", .*layerdb\/sha256\//;
    const image = /rename.*layerdb\/tmp\/tsengine\.file-[^"]*", .*imagedb\/content\/sha256\//;
    const name = /rename.*layerdb\/tmp\/tsengine\.file-[^"]*", .*repositories\.json/;
    assert.ok(first(register) > 0 && last(register) > first(register), 'both layers are registered');
    assert.ok(last(register) < first(image), 'layers before the image that needs them');
    assert.ok(first(image) < first(name), 'the image before its name');
    const synced = lines.filter((line) => /syncfs\(/.test(line)).length;
    assert.equal(synced, sync ? 1 : 0, 'one sync for the whole image');
    if (sync) {
      // The call may be split over two lines when another thread is between: what counts is its end.
      assert.ok(last(/syncfs(\(| resumed).*= 0/) < first(register), 'data before the name that registers it');
      const folder = first(/fsync\(.*layerdb\/sha256>/);
      assert.ok(folder > last(register) && folder < first(image), 'the names of layers before the image');
    }
    // These are durable in any case, as Docker's are.
    assert.ok(first(/fsync\(.*layerdb\/tmp\/tsengine\.file-/) < first(image));
    assert.ok(last(/fsync\(.*imagedb\/content\/sha256>/) < first(name));
  });
}
