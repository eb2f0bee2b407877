/** A kernel that the user built, by its path: Debian's own files stand for it. In a full run; what is refused of such kernels every run tests (bad-input.slow.test.ts). */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LabCache } from '../../src/lab/cache.ts';
import { cpioArchive } from '../../src/lab/cpio.ts';
import { buildImages, runInMachine } from '../../src/lab/lab.ts';
import { listCache, removeFromCache } from '../../src/lab/listing.ts';
import { FULL } from '../helpers/scope.ts';

test('a kernel by path, with its modules and an initial RAM disk', {
  timeout: 1_200_000,
  skip: FULL ? false : 'npm run test:full',
}, async () => {
  const [name = ''] = await buildImages('debian:6.1', [], {});
  const cache = new LabCache({ progress: () => undefined, signal: undefined });
  const folder = join(cache.folder, name);
  const work = mkdtempSync(join(tmpdir(), 'lab-own-'));
  const initrd = join(work, 'initrd');
  // Its /init must not be the one that runs.
  const init = Buffer.from('#!/bin/sh\necho the wrong init >/dev/console\n');
  writeFileSync(initrd, cpioArchive([{ type: 'file', path: 'init', data: init, executable: true }]));
  const before = new Set(listCache().map((entry) => entry.name));
  try {
    let said = '';
    const { exitCode, kernelRelease } = await runInMachine({
      kernel: { path: join(folder, 'vmlinuz'), modules: join(folder, 'lib/modules'), initrd },
      command: ['sh', '-c', 'modprobe btrfs && grep -c btrfs /proc/filesystems; uname -r'],
      onOutput: (_, data) => {
        said += data.toString();
      },
    });
    assert.equal(said, `1\n${kernelRelease}\n`);
    assert.equal(exitCode, 0);
    const made = listCache().filter((entry) => !before.has(entry.name));
    assert.deepEqual(made.map(({ kind }) => kind).sort(), ['initramfs', 'kernel']);
  } finally {
    for (const entry of listCache()) if (!before.has(entry.name)) removeFromCache(entry.name);
    rmSync(work, { recursive: true });
  }
});
