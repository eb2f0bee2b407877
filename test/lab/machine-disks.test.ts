/** The disks of a machine where the lab's cache has no room for them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDisks } from '../../src/lab/machine-disks.ts';
import { makeFilesystem } from '../helpers/loop.ts';

const context = { progress: () => undefined, signal: undefined };

test('a disk for which the cache has no room fails with a line that says so', async () => {
  using cache = makeFilesystem('tmpfs');
  const folder = join(cache.path, 'machine-1');
  mkdirSync(folder);
  // The cache, the folder, and one disk.
  execFileSync('mount', ['-o', 'remount,nr_inodes=3', cache.path]);
  await assert.rejects(makeDisks({ code: '/code', disks: [2 ** 20, 2 ** 20] }, folder, context), {
    code: 'System',
    message: `cannot make the machine's disks: the disk with the lab's cache, ${cache.path}, is full: make room, see tsengine lab rm, or set TSENGINE_LAB_CACHE`,
  });
});
