/** What of zfs can be said without ZFS: its options, its mark, and its refusal here. The suite: test/lab/zfs.slow.test.ts, and zfs-fuse.slow.test.ts. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { assertFails } from '../../src/drivers/conformance/layers.ts';
import { hasZfsFuse } from '../../src/drivers/zfs/fuse-daemon.ts';
import { readEngineOptions, requestedSize } from '../../src/drivers/zfs/options.ts';
import { markOf, readMark } from '../../src/drivers/zfs/store-mark.ts';
import { makeStore } from '../helpers/stores.ts';

describe('the options of zfs', () => {
  test('are the dataset alone', () => {
    assert.deepEqual(readEngineOptions({ options: [] }), { fsName: undefined });
    assert.deepEqual(readEngineOptions({ options: [['zfs.fsname', 'tank/a-b/c_d.e:f']] }), {
      fsName: 'tank/a-b/c_d.e:f',
    });
  });

  test('are refused by name, and so is what is no name of a dataset', () => {
    const read = (key: string, value: string) => () => readEngineOptions({ options: [[key, value]] });
    assert.throws(read('zfs.foo', '1'), /^TsengineError: zfs has no option zfs\.foo: it takes zfs\.fsname$/);
    for (const name of ['', '/tank', 'tank/', 'tank//a', 'tank a', 'tank@snap', '-r', '1tank', 'tank\n']) {
      assert.throws(read('zfs.fsname', name), /zfs\.fsname: ".*" is no name of a dataset: give one/, name);
    }
  });

  test('of a layer are its size', () => {
    assert.equal(requestedSize(undefined), undefined);
    assert.equal(requestedSize({ storageOptions: { size: '10G' } }), 10 * 1024 ** 3);
    const size = (storageOptions: Record<string, string>) => () => requestedSize({ storageOptions });
    assert.throws(
      size({ size: '0' }),
      /zfs: invalid storage size: 0: give more than 0, or leave size out for no limit$/,
    );
    assert.throws(size({ size: '1x' }), /--storage-opt size: invalid size: '1x'/);
    assert.throws(size({ size: '99999p' }), /--storage-opt size=99999p is out of range: give less than 8P$/);
    assert.throws(
      size({ quota: '1' }),
      /^TsengineError: Unknown option quota: a container's --storage-opt is size, /,
    );
  });
});

describe('the mark of a store', () => {
  test('is drawn once, and says whether layers without one are the store’s', async () => {
    using store = makeStore();
    const { home } = store.context('zfs');
    mkdirSync(home);
    assert.equal(readMark(home), undefined);
    const [one, two] = await Promise.all([
      markOf(home, `${home}/graph`, `${home}/lock`),
      markOf(home, `${home}/graph`, `${home}/lock`),
    ]);
    assert.deepEqual(one, two);
    assert.match(one.store, /^[0-9a-f]{16}$/);
    assert.equal(one.unmarked, false);
    assert.deepEqual(readMark(home), one);
    assert.deepEqual(readdirSync(home), ['tsengine.json']);
    const docker = store.context('btrfs').home;
    mkdirSync(`${docker}/graph`, { recursive: true });
    assert.equal((await markOf(docker, `${docker}/graph`, `${docker}/lock`)).unmarked, true);
  });

  test('that is damaged names its file', () => {
    using store = makeStore();
    for (const text of [
      '',
      '{',
      '{"version":2,"store":"0123456789abcdef","unmarked":false}',
      '{"version":1}',
    ]) {
      writeFileSync(`${store.dataRoot}/tsengine.json`, text);
      assert.throws(() => readMark(store.dataRoot), {
        code: 'Corrupt',
        message: /tsengine\.json: .*backup$/,
      });
    }
  });
});

test('where there is no ZFS it is refused in one line, and nothing is made', {
  skip: existsSync('/dev/zfs'),
}, async () => {
  using store = makeStore();
  const place =
    /^zfs keeps layers as datasets, and \S+ is on \S+: put the data root on ZFS, or name a dataset with/;
  await assertFails(store.open('zfs'), 'Unavailable', place);
  const named = store.open('zfs', [['zfs.fsname', 'tank/none']]);
  await assertFails(
    named,
    'Unavailable',
    hasZfsFuse()
      ? /^zfs: the zfs-fuse daemon does not run, or died: start it .*, and zpool import the pool$/
      : /^zfs needs the kernel module of OpenZFS, and \/dev\/zfs is not there: modprobe zfs .*, or install zfs-fuse/,
  );
  assert.deepEqual(readdirSync(store.dataRoot), []);
});
