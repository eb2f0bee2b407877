import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { assertFails, containerLayer, imageLayer, inside } from '../../src/drivers/conformance/layers.ts';
import { write } from '../../src/drivers/conformance/trees.ts';
import { driverFactory } from '../../src/drivers/registry.ts';
import { tellsEntryTypes } from '../../src/linux/directory-types.ts';
import { makeFilesystem, type TestFilesystem } from '../helpers/loop.ts';
import { makeStore } from '../helpers/stores.ts';

/** The rows that overlay2 shows, and a container that works. */
async function serves(parent: string): Promise<Record<string, string>> {
  using store = makeStore(parent);
  const driver = await store.open('overlay2');
  const base = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
  const id = await containerLayer(driver, base);
  await inside(driver, id, (root) => {
    fs.rmSync(`${root}/a`);
    fs.mkdirSync(`${root}/a`);
    assert.deepEqual(fs.readdirSync(root), ['a']);
  });
  assert.deepEqual(
    (await driver.changes(id, `${id}-init`)).map(({ kind }) => kind),
    ['modified'],
  );
  return Object.fromEntries(await driver.status());
}

describe('overlay2 serves', () => {
  const names = { ext4: 'extfs', xfs: 'xfs', btrfs: 'btrfs', tmpfs: 'tmpfs' } as const;
  for (const type of ['ext4', 'xfs', 'btrfs', 'tmpfs'] as const) {
    test(type, async () => {
      using filesystem = makeFilesystem(type);
      assert.deepEqual(await serves(filesystem.path), {
        'Backing Filesystem': names[type],
        'Supports d_type': 'true',
        'Native Overlay Diff': 'true',
        userxattr: 'false',
      });
    });
  }
});

describe('a file system that is read-only', () => {
  for (const name of ['overlay2', 'vfs'] as const)
    test(`is refused by ${name}`, async () => {
      using filesystem = makeFilesystem('tmpfs');
      using store = makeStore(filesystem.path);
      const factory = await driverFactory(name);
      assert.equal((await factory.probe(store.context(name))).supported, true);
      execFileSync('mount', ['-o', 'remount,ro', filesystem.path]);
      try {
        const support = await factory.probe(store.context(name));
        assert.deepEqual(support, {
          supported: false,
          reason: `${store.dataRoot} is on a read-only file system: choose another data root, or look at it with --read-only-root`,
        });
      } finally {
        execFileSync('mount', ['-o', 'remount,rw', filesystem.path]);
      }
    });
});

describe('overlay2 refuses, and leaves nothing', () => {
  test('overlay under it', async () => {
    using filesystem = makeFilesystem('tmpfs');
    const { path } = filesystem;
    for (const name of ['lower', 'upper', 'work', 'merged']) fs.mkdirSync(`${path}/${name}`);
    const data = `lowerdir=${path}/lower,upperdir=${path}/upper,workdir=${path}/work`;
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', data, `${path}/merged`]);
    using store = makeStore(`${path}/merged`);
    await assertFails(store.open('overlay2'), 'Unavailable', /^'overlay2' is not supported over overlayfs/);
    assert.deepEqual(fs.readdirSync(store.dataRoot), []);
    const { overlay2Factory } = await import('../../src/drivers/overlay2/index.ts');
    const support = await overlay2Factory.probe(store.context('overlay2'));
    assert.equal(support.supported, false);
    assert.deepEqual(fs.readdirSync(store.dataRoot), []);
    // Without a name, the next driver in order is taken.
    assert.equal((await store.open()).name, 'vfs');
  });

  test('ext4 made without the feature filetype', async () => {
    using filesystem = makeFilesystem('ext4', { mkfs: ['-O', '^filetype'] });
    fs.mkdirSync(`${filesystem.path}/entry`);
    assert.equal(tellsEntryTypes(filesystem.path), false);
    fs.rmdirSync(`${filesystem.path}/entry`);
    using store = makeStore(filesystem.path);
    await assertFails(
      store.open('overlay2'),
      'Unavailable',
      /^overlay2: the backing extfs .* without d_type/,
    );
    assert.deepEqual(fs.readdirSync(store.dataRoot), []);
  });

  test('xfs made with ftype=0', async (t) => {
    let filesystem: TestFilesystem;
    try {
      filesystem = makeFilesystem('xfs', { mkfs: ['-m', 'crc=0', '-n', 'ftype=0'] });
    } catch {
      return t.skip('this kernel does not mount xfs of version 4, the only one that can lack d_type');
    }
    using xfs = filesystem;
    using store = makeStore(xfs.path);
    await assertFails(
      store.open('overlay2'),
      'Unavailable',
      /^overlay2: the backing xfs filesystem is formatted without d_type support.*Reformat .* ftype=1/,
    );
    assert.deepEqual(fs.readdirSync(store.dataRoot), []);
  });

  test('a filesystem mounted read-only', async () => {
    using filesystem = makeFilesystem('ext4', { size: 64 * 1024 ** 2 });
    using store = makeStore(filesystem.path);
    execFileSync('mount', ['-o', 'remount,ro', filesystem.path]);
    await assert.rejects(store.open('overlay2'), /read-only file system/);
    execFileSync('mount', ['-o', 'remount,rw', filesystem.path]);
  });
});
