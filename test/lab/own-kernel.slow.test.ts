/** A kernel that the user built, by its path: Debian's own files stand for it. In a machine only in a full run; what is refused of such kernels every run tests (bad-input.slow.test.ts). */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { LabCache } from '../../src/lab/cache.ts';
import { type CpioEntry, cpioArchive } from '../../src/lab/cpio.ts';
import { helpfulModules, neededModules } from '../../src/lab/guest-init.ts';
import { kernelPlan } from '../../src/lab/kernels.ts';
import { buildImages } from '../../src/lab/lab.ts';
import { listCache, removeFromCache } from '../../src/lab/listing.ts';
import { loadOrder, readModules } from '../../src/lab/modules.ts';
import { FULL } from '../helpers/scope.ts';
import { inMachine } from './in-machine.ts';

test('a kernel with modules as make modules_install leaves them, with links to its source', async () => {
  const [name = ''] = await buildImages('debian:6.1', [], {});
  const context = { progress: () => undefined, signal: undefined };
  const debian = join(new LabCache(context).folder, name);
  const [modulesOf = ''] = globSync('lib/modules/*', { cwd: debian });
  const work = mkdtempSync(join(tmpdir(), 'lab-own-'));
  try {
    // The source tree; modules were installed into it, as docs/lab.md has it.
    const modules = join(work, 'source/mods', modulesOf);
    const taken = globSync(['modules.*', 'kernel/drivers/virtio/*.ko'], { cwd: join(debian, modulesOf) });
    for (const path of taken) {
      mkdirSync(dirname(join(modules, path)), { recursive: true });
      copyFileSync(join(debian, modulesOf, path), join(modules, path));
    }
    symlinkSync(join(work, 'source'), join(modules, 'build'));
    symlinkSync(join(work, 'gone'), join(modules, 'source'));
    const cache = new LabCache(context, join(work, 'cache'));
    const plan = () =>
      kernelPlan({ path: join(debian, 'vmlinuz'), modules: dirname(modules) }, cache, context);
    using entry = await cache.hold(plan());
    const there = globSync('**', { cwd: join(entry.folder, modulesOf) });
    assert.ok(taken.some((path) => path.endsWith('.ko')));
    for (const path of taken) assert.ok(there.includes(path), path);
    assert.deepEqual(
      ['build', 'source'].filter((link) => there.includes(link)),
      [],
    );
    assert.ok(existsSync(join(entry.folder, 'modules.squashfs')));
    // A module that is copied over the old one is another kernel, whose modules.dep is the same.
    const [module = ''] = taken.filter((path) => path.endsWith('.ko'));
    rmSync(join(modules, module));
    copyFileSync(join(debian, modulesOf, module), join(modules, module));
    assert.notEqual(cache.nameOf(plan()), entry.name);
  } finally {
    rmSync(work, { recursive: true });
  }
});

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
    const { exitCode, kernelRelease, said } = await inMachine({
      kernel: { path: join(folder, 'vmlinuz'), modules: join(folder, 'lib/modules'), initrd },
      command: ['sh', '-c', 'modprobe btrfs && grep -c btrfs /proc/filesystems; uname -r'],
    });
    assert.deepEqual([exitCode, said], [0, `1\n${kernelRelease}\n`]);
    const made = listCache().filter((entry) => !before.has(entry.name));
    assert.deepEqual(made.map(({ kind }) => kind).sort(), ['initramfs', 'kernel']);
  } finally {
    for (const entry of listCache()) if (!before.has(entry.name)) removeFromCache(entry.name);
    rmSync(work, { recursive: true });
  }
});

test('a kernel without modules, whose initial RAM disk brings those that it needs', {
  timeout: 1_200_000,
  skip: FULL ? false : 'npm run test:full',
}, async () => {
  const [name = ''] = await buildImages('debian:6.1', [], {});
  const cache = new LabCache({ progress: () => undefined, signal: undefined });
  const folder = join(cache.folder, name);
  const [modules = ''] = globSync('lib/modules/*', { cwd: folder });
  const table = readModules(join(folder, modules));
  const needed = loadOrder([...helpfulModules, ...neededModules], table);
  // Debian's has ext4 built in, and all else as modules.
  assert.ok(needed.some((path) => path.endsWith('/virtio_blk.ko')));
  const paths = ['modules.dep', 'modules.alias', 'modules.softdep', ...needed];
  const above = new Set<string>();
  for (const path of paths)
    for (let at = dirname(join(modules, path)); at !== '.'; at = dirname(at)) above.add(at);
  const work = mkdtempSync(join(tmpdir(), 'lab-own-'));
  const before = new Set(listCache().map((entry) => entry.name));
  try {
    const initrd = join(work, 'initrd');
    writeFileSync(
      initrd,
      cpioArchive([
        ...[...above].sort().map((path): CpioEntry => ({ type: 'directory', path })),
        ...paths.map(
          (path): CpioEntry => ({
            type: 'file',
            path: join(modules, path),
            data: readFileSync(join(folder, modules, path)),
          }),
        ),
      ]),
    );
    const { exitCode, kernelRelease, said } = await inMachine({
      kernel: { path: join(folder, 'vmlinuz'), initrd },
      command: ['uname', '-r'],
    });
    assert.deepEqual([exitCode, said], [0, `${kernelRelease}\n`]);
  } finally {
    for (const entry of listCache()) if (!before.has(entry.name)) removeFromCache(entry.name);
    rmSync(work, { recursive: true });
  }
});
