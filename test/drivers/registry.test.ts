import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { assertFails } from '../../src/drivers/conformance/layers.ts';
import { chooseDriver, DRIVER_NAMES, driversWithData } from '../../src/drivers/registry.ts';
import { parseBool, parseSize, parseStorageOption } from '../../src/drivers/storage-options.ts';
import { TsengineError } from '../../src/errors.ts';
import { makeStore } from '../helpers/stores.ts';

/** What Docker leaves of one layer of each driver. */
const DATA = {
  overlay2: `overlay2/${'a'.repeat(64)}`,
  vfs: `vfs/dir/${'a'.repeat(64)}`,
  btrfs: `btrfs/subvolumes/${'a'.repeat(64)}`,
  zfs: `zfs/graph/${'a'.repeat(64)}`,
  aufs: `aufs/diff/${'a'.repeat(64)}`,
  devicemapper: `devicemapper/metadata/${'a'.repeat(64)}`,
} as const;

/** What Docker leaves of drivers that never held a layer. */
const EMPTY = [
  'overlay2/l',
  'overlay2/backingFsBlockDev',
  'vfs/dir',
  'btrfs/subvolumes',
  'aufs/diff',
  'aufs/mnt',
  'devicemapper/devicemapper/data',
  'devicemapper/metadata/deviceset-metadata',
];

const add = (dataRoot: string, path: string) => fs.mkdirSync(`${dataRoot}/${path}`, { recursive: true });

describe('the driver of a data root', () => {
  test('is the one asked for, whatever the root holds', async () => {
    using store = makeStore();
    add(store.dataRoot, DATA.overlay2);
    assert.equal((await store.open('vfs')).name, 'vfs');
  });

  test('is the one whose data the root holds, vfs alone too', async () => {
    for (const name of ['overlay2', 'vfs'] as const) {
      using store = makeStore();
      for (const path of EMPTY) add(store.dataRoot, path);
      add(store.dataRoot, DATA[name]);
      assert.equal((await chooseDriver({ dataRoot: store.dataRoot, context: store.context })).name, name);
    }
  });

  test('is overlay2 in a fresh root on a filesystem that can serve it, and nothing is changed to know', async () => {
    using store = makeStore();
    for (const path of EMPTY) add(store.dataRoot, path);
    const before = fs.readdirSync(store.dataRoot, { recursive: true }).sort();
    assert.equal((await chooseDriver({ ...store })).name, 'overlay2');
    assert.deepEqual(fs.readdirSync(store.dataRoot, { recursive: true }).sort(), before);
  });

  test('must be named when the root holds data of several, in Docker’s words', async () => {
    using store = makeStore();
    add(store.dataRoot, DATA.vfs);
    add(store.dataRoot, DATA.aufs);
    await assertFails(
      store.open(),
      'InvalidParameter',
      /contains several valid graphdrivers: vfs, aufs; Please cleanup or explicitly choose storage driver \(-s <DRIVER>\)$/,
    );
  });

  test('is recognised in data of each of the six', () => {
    for (const name of DRIVER_NAMES) {
      using store = makeStore();
      for (const path of EMPTY) add(store.dataRoot, path);
      assert.deepEqual(driversWithData(store.dataRoot), []);
      add(store.dataRoot, DATA[name]);
      assert.deepEqual(driversWithData(store.dataRoot), [name]);
    }
  });

  test('that nobody knows is refused with the names there are', async () => {
    using store = makeStore();
    await assertFails(
      store.open('overlay3'),
      'InvalidParameter',
      /"overlay3": choose one of overlay2, btrfs, zfs, vfs, aufs, devicemapper/,
    );
  });
});

describe('storage options', () => {
  test('are key=value, with the key in any case', () => {
    assert.deepEqual(parseStorageOption('Overlay2.Size = 10G'), ['overlay2.size', '10G']);
    assert.deepEqual(parseStorageOption('a=b=c'), ['a', 'b=c']);
    const why = 'a storage option \\(--storage-opt\\) is KEY=VALUE$';
    for (const [text, shown] of [
      ['foo', 'foo'],
      ['', "''"],
    ] as const) {
      const line = `^TsengineError: Unable to parse key/value option: ${shown}: ${why}`;
      assert.throws(() => parseStorageOption(text), new RegExp(line));
    }
  });

  test('sizes are those that Docker takes', () => {
    const sizes = {
      '10': 10,
      '10b': 10,
      '1k': 1024,
      '2K': 2048,
      '1.5M': 1_572_864,
      '10 GB': 10_737_418_240,
      '1TiB': 1024 ** 4,
    };
    for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseSize('x.size', text), bytes, text);
    for (const text of ['', 'abc', '-1', '1x', '10 G B', '1e3'])
      assert.throws(
        () => parseSize('x.size', text),
        /x\.size: invalid size: '.*': give a number with a unit/,
      );
    assert.equal(parseSize('x.size', '8191T'), 8191 * 1024 ** 4);
    for (const text of ['8P', '8192T', '99999p', `${'9'.repeat(400)}p`]) {
      assert.throws(
        () => parseSize('x.size', text),
        (error) => {
          assert.ok(error instanceof TsengineError && error.exitCode === 125);
          assert.match(error.message, /^x\.size=[^ ]{1,42} is out of range: give less than 8P$/);
          return true;
        },
      );
    }
  });

  test('booleans are those that Go takes', () => {
    assert.equal(parseBool('key', 'T'), true);
    assert.equal(parseBool('key', '0'), false);
    assert.throws(() => parseBool('key', 'yes'), /key: cannot read "yes"/);
  });

  test("another driver's are refused with its name, and those without a prefix with the right one", async () => {
    using store = makeStore();
    const refused = [
      [
        'overlay2',
        'dm.fs',
        /^overlay2 has no option dm\.fs: those that begin with dm\. are devicemapper's: leave it out, or choose --storage-driver devicemapper$/,
      ],
      ['vfs', 'dm.fs', /^vfs has no option dm\.fs: .* --storage-driver devicemapper$/],
      ['btrfs', 'dm.basesize', /^btrfs has no option dm\.basesize: .* --storage-driver devicemapper$/],
      ['zfs', 'btrfs.min_space', /^zfs has no option btrfs\.min_space: .* --storage-driver btrfs$/],
      ['aufs', 'overlay2.size', /^aufs has no option overlay2\.size: .* --storage-driver overlay2$/],
      ['devicemapper', 'zfs.fsname', /^devicemapper has no option zfs\.fsname: .* --storage-driver zfs$/],
      [
        'overlay2',
        'size',
        /^overlay2 has no option size: it takes overlay2\.override_kernel_check, overlay2\.size$/,
      ],
      ['btrfs', 'min_space', /^btrfs has no option min_space: it takes btrfs\.min_space$/],
      ['zfs', 'fsname', /^zfs has no option fsname: it takes zfs\.fsname$/],
      ['aufs', 'mount_program', /^aufs has no option mount_program: it takes aufs\.mount_program$/],
      ['devicemapper', 'basesize', /^devicemapper has no option basesize: it takes dm\.basesize$/],
    ] as const;
    for (const [driver, key, words] of refused) {
      await assertFails(store.open(driver, [[key, '1']]), 'InvalidParameter', words);
    }
    assert.deepEqual(fs.readdirSync(store.dataRoot), []);
  });

  test('vfs refuses its own in Docker’s words', async () => {
    using store = makeStore();
    await assertFails(
      store.open('vfs', [['vfs.foo', '1']]),
      'InvalidParameter',
      /^vfs has no option vfs\.foo: it takes size$/,
    );
    const quota =
      /^Filesystem does not support, or has not enabled quotas: \/.*\/vfs\/dir is on .*: .*(pquota|prjquota)/;
    await assertFails(store.open('vfs', [['size', '1G']]), 'InvalidParameter', quota);
    assert.equal(fs.existsSync(`${store.dataRoot}/vfs`), false);
    const driver = await store.open('vfs');
    const create = (storageOptions: Record<string, string>) =>
      driver.createReadWrite('layer', undefined, { storageOptions });
    await assertFails(create({ size: '1G' }), 'InvalidParameter', quota);
    for (const [key, shown] of [
      ['foo', 'foo'],
      ['', "''"],
    ] as const) {
      const line = `^Storage opt ${shown} not supported: a container's --storage-opt is size, such as size=10G$`;
      await assertFails(create({ [key]: '1' }), 'InvalidParameter', new RegExp(line));
    }
  });
});
