/** What is btrfs's own, on a filesystem of the test's. The suite: conformance-filesystems.slow.test.ts. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { guidedByTrees } from '../../src/drivers/btrfs/changes.ts';
import { compareTrees, type Guide } from '../../src/drivers/compare-trees.ts';
import { changeLines, collect, imageLayer, streamOf } from '../../src/drivers/conformance/layers.ts';
import { newId } from '../../src/drivers/conformance/suite.ts';
import type { GraphDriver } from '../../src/drivers/driver.ts';
import { driverFactory } from '../../src/drivers/registry.ts';
import {
  createSnapshot,
  createSubvolume,
  destroySubvolume,
  isSubvolume,
  subvolumeInfo,
} from '../../src/linux/btrfs.ts';
import { withRoot } from '../../src/linux/open-directory.ts';
import { makeFilesystem, type TestFilesystem } from '../helpers/loop.ts';
import { makeStore, type TestStore } from '../helpers/stores.ts';

describe('btrfs', () => {
  let filesystem: TestFilesystem;
  let store: TestStore;
  let driver: GraphDriver;
  before(async () => {
    filesystem = makeFilesystem('btrfs');
    store = makeStore(filesystem.path);
    driver = await store.open('btrfs');
  });
  after(async () => {
    await driver.cleanup();
    store[Symbol.dispose]();
    filesystem[Symbol.dispose]();
  });
  const home = (): string => store.context('btrfs').home;
  const tree = (id: string): string => `${home()}/subvolumes/${id}`;
  const subvolumes = (): number =>
    execFileSync('btrfs', ['subvolume', 'list', filesystem.path], { encoding: 'utf8' }).split('\n').length -
    1;

  /** As root in a container does it, whose layer it is. */
  const makeReadOnly = (path: string): void => {
    execFileSync('btrfs', ['property', 'set', '-ts', path, 'ro', 'true']);
  };

  /** Writes until the subvolume is full to its limit, to the last page. */
  const fillUp = (folder: string): void => {
    for (const size of ['1M', '4k']) {
      const to = `of=${folder}/fill-${size}`;
      const { stderr } = spawnSync('dd', ['if=/dev/zero', to, `bs=${size}`, 'count=300', 'oflag=sync']);
      assert.match(String(stderr), /Disk quota exceeded/);
    }
  };

  async function child(parent: string, change: (root: string) => void): Promise<string> {
    const id = newId();
    await driver.createReadWrite(id, parent);
    change(tree(id));
    return id;
  }

  /** The guide that the trees give, and what the driver says, which must be what comparing everything says. */
  async function guided(id: string, parent: string): Promise<Guide | undefined> {
    const all = changeLines(compareTrees(tree(id), tree(parent)));
    assert.deepEqual(changeLines(await driver.changes(id, parent)), all);
    let found: Guide | undefined;
    await guidedByTrees(tree(id), tree(parent), (guide) => {
      found = guide;
    });
    return found;
  }

  test('layers are subvolumes, and a crash leaves none that the next start does not delete', async () => {
    const image = await imageLayer(driver, undefined, (root) => fs.writeFileSync(`${root}/a`, 'a'));
    assert.ok(isSubvolume(tree(image)));
    const id = await child(image, () => {});
    const count = subvolumes();
    createSnapshot(tree(image), `${home()}/.tsengine/left`);
    createSubvolume(`${home()}/.tsengine/left/inside`);
    createSubvolume(`${home()}/.tsengine/left/inside/deeper`);
    assert.equal(subvolumes(), count + 3);
    await store.open('btrfs');
    assert.equal(subvolumes(), count);
    await driver.remove(id);
    await driver.remove(image);
    assert.equal(subvolumes(), count - 2);
  });

  test('only what changed is looked at, in a tree of ten thousand files', async () => {
    const image = await imageLayer(driver, undefined, (root) => {
      for (let folder = 0; folder < 100; folder += 1) {
        fs.mkdirSync(`${root}/${folder}`);
        for (let file = 0; file < 100; file += 1) fs.writeFileSync(`${root}/${folder}/${file}`, '');
      }
    });
    const id = await child(image, (root) => {
      fs.appendFileSync(`${root}/7/7`, 'more');
      fs.rmSync(`${root}/8/8`);
      fs.writeFileSync(`${root}/9/new`, 'new');
      fs.renameSync(`${root}/10`, `${root}/moved`);
      fs.chmodSync(`${root}/11`, 0o700);
    });
    const guide = await guided(id, image);
    assert.deepEqual([...(guide?.listed ?? [])].sort(), ['', '/11', '/7/7', '/8', '/9', '/9/new', '/moved']);
    assert.deepEqual([...(guide?.names.keys() ?? [])].sort(), ['', '/7', '/9']);
  });

  test('the names of a file that was moved with its folder stay one file', async () => {
    const image = await imageLayer(driver, undefined, (root) => {
      fs.mkdirSync(`${root}/folder`);
      fs.mkdirSync(`${root}/other`);
      fs.writeFileSync(`${root}/folder/a`, 'a');
      fs.linkSync(`${root}/folder/a`, `${root}/other/b`);
    });
    const id = await child(image, (root) => fs.renameSync(`${root}/folder`, `${root}/moved`));
    await guided(id, image);
    const copy = newId();
    await driver.create(copy, image);
    const tar = await collect(driver.diff(id, image));
    await driver.applyDiff(copy, image, streamOf(tar));
    const inode = (path: string): number => fs.lstatSync(`${tree(copy)}/${path}`).ino;
    assert.equal(inode('moved/a'), inode('other/b'));
  });

  test('a subvolume that a container made is part of its layer, and goes with it', async () => {
    const image = await imageLayer(driver, undefined, (root) => fs.mkdirSync(`${root}/dir`));
    const before = subvolumes();
    const id = await child(image, (root) => {
      createSubvolume(`${root}/dir/own`);
      fs.writeFileSync(`${root}/dir/own/file`, 'x');
      createSubvolume(`${root}/dir/own/inner`);
      fs.mkdirSync(`${root}/dir/own/plain`);
      createSubvolume(`${root}/dir/own/plain/third`);
    });
    assert.equal(await guided(id, image), undefined);
    assert.ok(changeLines(await driver.changes(id, image)).includes('added /dir/own/file'));
    await driver.remove(id);
    assert.equal(subvolumes(), before);
  });

  test('a container that is full to its size is removed, with a subvolume in it that is full as well', async () => {
    const before = subvolumes();
    const id = newId();
    await driver.createReadWrite(id, undefined, { storageOptions: { size: '8M' } });
    const nested = `${tree(id)}/nested`;
    createSubvolume(nested);
    execFileSync('btrfs', ['qgroup', 'limit', '8M', nested]);
    fillUp(nested);
    fillUp(tree(id));
    const inside = withRoot(nested, (fd) => subvolumeInfo(fd).id);
    assert.throws(() => destroySubvolume(home(), inside), { code: 'EDQUOT' });
    await driver.remove(id);
    assert.equal(await driver.exists(id), false);
    assert.equal(subvolumes(), before);
  });

  test('a container that made its layer read-only is removed, and one that is full as well', async () => {
    const before = subvolumes();
    const image = await imageLayer(driver, undefined, () => {});
    const id = await child(image, makeReadOnly);
    await driver.remove(id);
    assert.equal(await driver.exists(id), false);
    const full = newId();
    await driver.createReadWrite(full, image, { storageOptions: { size: '8M' } });
    fillUp(tree(full));
    makeReadOnly(tree(full));
    await driver.remove(full);
    await driver.remove(image);
    assert.equal(subvolumes(), before);
    assert.deepEqual(fs.readdirSync(`${home()}/.tsengine`), ['lock']);
  });

  test('read-only subvolumes go with those that are in them, also after a crash', async () => {
    const before = subvolumes();
    const fill = (root: string): void => {
      const deep = `${root}/a/${'long/'.repeat(700)}`;
      createSubvolume(`${root}/a`);
      fs.mkdirSync(deep, { recursive: true });
      createSubvolume(`${deep}b`);
      createSubvolume(`${deep}b/c`);
      for (const path of [`${deep}b/c`, `${deep}b`, `${root}/a`, root]) makeReadOnly(path);
    };
    const id = newId();
    await driver.createReadWrite(id, undefined);
    fill(tree(id));
    await driver.remove(id);
    assert.equal(subvolumes(), before);
    createSubvolume(`${home()}/.tsengine/left`);
    fill(`${home()}/.tsengine/left`);
    await store.open('btrfs');
    assert.equal(subvolumes(), before);
    assert.deepEqual(store.warnings, []);
  });

  test('a file that was written anew with its size and time kept has changed', async () => {
    const base = await imageLayer(driver, undefined, (root) => {
      for (const name of ['written', 'touched']) fs.writeFileSync(`${root}/${name}`, 'before');
    });
    const id = await child(base, (root) => {
      for (const [name, text] of [
        ['written', 'behind'],
        ['touched', 'before'],
      ] as const) {
        fs.writeFileSync(`${root}/${name}`, text);
        execFileSync('touch', ['-r', `${tree(base)}/${name}`, `${root}/${name}`]);
      }
    });
    assert.deepEqual(changeLines(await driver.changes(id, base)), ['modified /written']);
    const tar = await collect(driver.diff(id, base));
    assert.match(tar.toString('latin1'), /behind/);
  });

  test('a container holds no more than its size, and Docker finds what it is limited to', async () => {
    const image = await imageLayer(driver, undefined, () => {});
    const id = newId();
    await driver.createReadWrite(id, image, { storageOptions: { size: '10M' } });
    const fill = (root: string): void => {
      const fd = fs.openSync(`${root}/big`, 'w');
      try {
        for (let at = 0; at < 40; at += 1) {
          fs.writeSync(fd, Buffer.alloc(1 << 20, at + 1));
          fs.fsyncSync(fd);
        }
      } finally {
        fs.closeSync(fd);
      }
    };
    // EDQUOT, which Node has no name for.
    assert.throws(() => fill(tree(id)), { errno: -122 });
    assert.equal(fs.readFileSync(`${home()}/quotas/${id}`, 'utf8'), String(10 * 1024 ** 2));
    const free = newId();
    await driver.createReadWrite(free, image);
    fill(tree(free));
    await driver.remove(id);
    assert.deepEqual(fs.readdirSync(`${home()}/quotas`), []);
    const wrong = (size: string) => driver.createReadWrite(newId(), image, { storageOptions: { size } });
    await assert.rejects(
      wrong('0'),
      /btrfs: invalid storage size: 0: give more than 0, or leave size out for no limit$/,
    );
    await assert.rejects(wrong('x'), /--storage-opt size: invalid size: 'x'/);
    await assert.rejects(wrong('99999p'), /--storage-opt size=99999p is out of range: give less than 8P$/);
    await assert.rejects(
      driver.create(newId(), image, { storageOptions: { size: '1G' } }),
      /only supported for ReadWrite/,
    );
    const strict = await store.open('btrfs', [['btrfs.min_space', '1G']]);
    await assert.rejects(
      strict.createReadWrite(newId(), image, { storageOptions: { size: '10M' } }),
      /storage size cannot be less than 1GiB \(btrfs\.min_space\): give more than size=10M$/,
    );
  });

  test('another filesystem is refused by name, and an unknown option too', async () => {
    using other = makeFilesystem('ext4');
    using elsewhere = makeStore(other.path);
    await assert.rejects(elsewhere.open('btrfs'), /btrfs keeps layers as subvolumes, and .* is on extfs/);
    assert.deepEqual(fs.readdirSync(elsewhere.dataRoot), []);
    await assert.rejects(
      store.open('btrfs', [['btrfs.nosuch', '1']]),
      /^TsengineError: btrfs has no option btrfs\.nosuch: it takes btrfs\.min_space$/,
    );
  });

  test('a size that is no number of bytes is refused by its name, before the filesystem counts', async () => {
    using filesystem = makeFilesystem('btrfs');
    using other = makeStore(filesystem.path);
    const counts = (): boolean =>
      spawnSync('btrfs', ['qgroup', 'show', filesystem.path], { stdio: 'pipe' }).status === 0;
    for (const [value, words] of [
      ['99999p', /^TsengineError: btrfs\.min_space=99999p is out of range: give less than 8P$/],
      [
        'abc',
        /^TsengineError: btrfs\.min_space: invalid size: 'abc': give a number with a unit, such as 10G$/,
      ],
    ] as const) {
      await assert.rejects(other.open('btrfs', [['btrfs.min_space', value]]), words);
    }
    const fresh = await other.open('btrfs');
    const options = { storageOptions: { size: '99999p' } };
    await assert.rejects(fresh.createReadWrite(newId(), undefined, options), /size=99999p is out of range/);
    assert.equal(counts(), false);
    await other.open('btrfs', [['btrfs.min_space', '1M']]);
    assert.equal(counts(), true);
  });

  test('a store that cannot be written says so, and can be looked at', async () => {
    using filesystem = makeFilesystem('btrfs');
    using other = makeStore(filesystem.path);
    const opened = await other.open('btrfs');
    const image = await imageLayer(opened, undefined, (root) => fs.writeFileSync(`${root}/a`, 'a'));
    execFileSync('mount', ['-o', 'remount,ro', filesystem.path]);
    const refused = {
      code: 'Unavailable',
      message: `btrfs: ${other.dataRoot}/btrfs is on a read-only file system: choose another data root, or look at it with --read-only-root`,
    };
    for (const driver of [opened, await other.open('btrfs')]) {
      await assert.rejects(driver.create(newId(), image), refused);
      await assert.rejects(driver.createReadWrite(newId(), image), refused);
      await assert.rejects(driver.remove(image), refused);
      await using mounted = await driver.get(image);
      assert.equal(fs.readFileSync(`${mounted.path}/a`, 'utf8'), 'a');
    }
    const factory = await driverFactory('btrfs');
    const looking = await factory.open({ ...other.context('btrfs'), readOnly: true });
    await using mounted = await looking.get(image);
    assert.equal(fs.readFileSync(`${mounted.path}/a`, 'utf8'), 'a');
    execFileSync('mount', ['-o', 'remount,rw', filesystem.path]);
  });

  test('a folder that is no subvolume is said to be none', async () => {
    const id = newId();
    fs.mkdirSync(tree(id));
    await assert.rejects(driver.get(id), /is no subvolume/);
    await driver.remove(id);
    assert.equal(await driver.exists(id), false);
  });
});
