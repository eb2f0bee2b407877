import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { makeEverything, noise, sparse, write } from '../../src/drivers/conformance/trees.ts';
import { copyTree } from '../../src/drivers/vfs/copy-tree.ts';
import { lackingAbilities } from '../../src/lab/matrix/lacking.ts';
import { statfs } from '../../src/linux/statfs.ts';
import { lsetxattr } from '../../src/linux/xattr.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { makeStore } from '../helpers/stores.ts';
import { assertSameTree } from '../helpers/trees.ts';

const EVERYTHING = { directoryTimes: true, holes: true } as const;

async function copied(folder: string, make: (root: string) => void): Promise<[from: string, to: string]> {
  const [from, to] = [`${folder}/from`, `${folder}/to`];
  fs.mkdirSync(from);
  fs.mkdirSync(to);
  make(from);
  await copyTree(from, to);
  return [from, to];
}

/** What a filesystem can hold of everything: tmpfs has no `user.*` attributes before Linux 6.6. */
function what(folder: string): { readonly without: readonly string[] } {
  return { without: lackingAbilities(folder).flatMap(({ attributes }) => attributes ?? []) };
}

describe('a copy of a tree', () => {
  for (const type of ['ext4', 'xfs', 'btrfs', 'tmpfs'] as const) {
    test(`has everything, on ${type}`, async () => {
      using filesystem = makeFilesystem(type);
      const make = (root: string) => makeEverything(root, what(filesystem.path));
      const [from, to] = await copied(filesystem.path, make);
      assertSameTree(to, from, EVERYTHING);
      const roots = [from, to].map((path) => fs.lstatSync(path, { bigint: true }));
      assert.equal(roots[0]?.mtimeNs, roots[1]?.mtimeNs);
    });
  }

  for (const type of ['xfs', 'btrfs'] as const) {
    test(`shares blocks on ${type}`, async () => {
      using filesystem = makeFilesystem(type);
      const size = 64 * 1024 ** 2;
      const free = () => statfs(filesystem.path).free;
      let before = 0;
      await copied(filesystem.path, (root) => {
        const fd = fs.openSync(`${root}/big`, 'w');
        fs.writeSync(fd, noise(size));
        fs.fsyncSync(fd);
        fs.closeSync(fd);
        before = free();
      });
      assert.ok(before - free() < size / 4, `${before - free()} bytes were taken`);
    });
  }

  test('from one filesystem to another has everything', async () => {
    using filesystem = makeFilesystem('tmpfs');
    using store = makeStore();
    const to = `${filesystem.path}/to`;
    fs.mkdirSync(to);
    makeEverything(store.dataRoot, what(filesystem.path));
    await copyTree(store.dataRoot, to);
    assertSameTree(to, store.dataRoot, { directoryTimes: true });
  });

  test('keeps holes at both ends, and files that are nothing but a hole', async () => {
    const folder = fs.mkdtempSync(`${tmpdir()}/tsengine-copy-`);
    try {
      const [from, to] = await copied(folder, (root) => {
        sparse(`${root}/middle`, 10_000_000, 4_000_000, 'x');
        sparse(`${root}/end`, 10_000_000, 9_999_999, 'x');
        fs.writeFileSync(`${root}/hole`, '');
        fs.truncateSync(`${root}/hole`, 100_000_000);
      });
      assertSameTree(`${to}`, from, EVERYTHING);
      assert.equal(fs.lstatSync(`${to}/hole`).blocks, 0);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  test('keeps access control lists', async () => {
    const folder = fs.mkdtempSync(`${tmpdir()}/tsengine-copy-`);
    try {
      const [from, to] = await copied(folder, (root) => {
        write(`${root}/file`, 'x');
        // user::rw- user:1000:r-- group::r-- mask::r-- other::---, as in linux/posix_acl_xattr.h.
        const acl =
          '0200000001000600ffffffff02000400e803000004000400ffffffff10000400ffffffff20000000ffffffff';
        lsetxattr(`${root}/file`, 'system.posix_acl_access', Buffer.from(acl, 'hex'));
      });
      assertSameTree(to, from, EVERYTHING);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  test('lets the rest of the process run meanwhile', async () => {
    const folder = fs.mkdtempSync(`${tmpdir()}/tsengine-copy-`);
    try {
      let turns = 0;
      const timer = setInterval(() => turns++, 1);
      await copied(folder, (root) => {
        for (let i = 0; i < 3000; i++) fs.writeFileSync(`${root}/${i}`, 'x'.repeat(100));
      });
      clearInterval(timer);
      assert.ok(turns > 1, `${turns} turns of the event loop`);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});

test('the layout of vfs is that of Docker 20.10.24', async () => {
  using store = makeStore();
  const driver = await store.open('vfs');
  await driver.create('layer', undefined);
  const mode = (path: string) => (fs.lstatSync(`${store.dataRoot}/${path}`).mode & 0o7777).toString(8);
  assert.deepEqual([mode('vfs'), mode('vfs/dir'), mode('vfs/dir/layer')], ['710', '710', '755']);
  assert.equal(await driver.metadata('layer'), undefined);
});
