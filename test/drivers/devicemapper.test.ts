/** What of devicemapper can be told without device-mapper, which this kernel may lack. The rest: test/lab/devicemapper.slow.test.ts. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, test } from 'node:test';
import { assertFails } from '../../src/drivers/conformance/layers.ts';
import { nodeOfSysfs } from '../../src/drivers/devicemapper/block-part.ts';
import { growLoopFile, makeLoopFile } from '../../src/drivers/devicemapper/loop-file.ts';
import { BASE, Metadata } from '../../src/drivers/devicemapper/metadata.ts';
import { readEngineOptions, requestedSize } from '../../src/drivers/devicemapper/options.ts';
import { Pool } from '../../src/drivers/devicemapper/pool.ts';
import {
  parsePoolStatus,
  parsePoolTable,
  parseSuperblock,
  poolTable,
  thinTable,
} from '../../src/drivers/devicemapper/pool-format.ts';
import { devicemapperStore } from '../../src/drivers/devicemapper/store.ts';
import { makeStore } from '../helpers/stores.ts';

type Pairs = readonly (readonly [string, string])[];

const read = (...options: Pairs) => readEngineOptions({ options });

describe('the options of devicemapper', () => {
  test("are Docker's, with Docker's defaults but for deferred removal and full pools", () => {
    const all = read();
    assert.deepEqual(all, {
      source: { kind: 'own', data: undefined, metadata: undefined },
      baseSize: 10 * 1024 ** 3,
      isBaseSizeGiven: false,
      loopDataSize: undefined,
      loopMetadataSize: undefined,
      filesystem: undefined,
      mkfsArguments: [],
      mountOptions: '',
      blockSize: undefined,
      discardsOnRemove: true,
      minFreePercent: 10,
      defersRemoval: true,
      defersDeletion: true,
      xfsNospaceRetries: '0',
    });
    const given = read(
      ['dm.basesize', '20G'],
      ['dm.fs', 'ext4'],
      ['dm.mkfsarg', '-O'],
      ['dm.mkfsarg', '^has_journal'],
      ['dm.mountopt', 'noatime'],
      ['dm.mountopt', 'nodiscard'],
      ['dm.blocksize', '512K'],
      ['dm.min_free_space', '0%'],
      ['DM.use_deferred_removal', 'false'],
      ['dm.loopdatasize', '200G'],
      ['dm.datadev', '/dev/sdb'],
      ['dm.metadatadev', '/dev/sdc'],
      ['dm.override_udev_sync_check', 'true'],
    );
    assert.deepEqual(given, {
      ...all,
      source: { kind: 'own', data: '/dev/sdb', metadata: '/dev/sdc' },
      baseSize: 20 * 1024 ** 3,
      isBaseSizeGiven: true,
      loopDataSize: 200 * 1024 ** 3,
      filesystem: 'ext4',
      mkfsArguments: ['-O', '^has_journal'],
      mountOptions: 'noatime,nodiscard',
      blockSize: 512 * 1024,
      discardsOnRemove: false,
      minFreePercent: 0,
      defersRemoval: false,
      defersDeletion: false,
    });
    assert.deepEqual(read(['dm.thinpooldev', '/dev/mapper/pool']).source, { kind: 'pool', name: 'pool' });
    assert.deepEqual(
      read(['dm.directlvm_device', '/dev/xvdf'], ['dm.thinp_percent', '90'], ['dm.thinp_metapercent', '2%'])
        .source,
      {
        kind: 'lvm',
        setup: {
          device: '/dev/xvdf',
          force: false,
          dataPercent: 90,
          metadataPercent: 2,
          autoextendPercent: 0,
          autoextendThreshold: 0,
        },
      },
    );
  });

  test('are refused by name when they are unknown, out of range, or do not go together', () => {
    const wrong: readonly (readonly [RegExp, Pairs])[] = [
      [/devicemapper has no option dm\.nosuch: it takes /, [['dm.nosuch', '1']]],
      [/devicemapper has no option overlay2\.size: .* --storage-driver overlay2$/, [['overlay2.size', '1G']]],
      [/dm\.fs=btrfs: choose ext4 or xfs/, [['dm.fs', 'btrfs']]],
      [/dm\.basesize: invalid size: 'ten'/, [['dm.basesize', 'ten']]],
      [/dm\.basesize=0 is out of range: give 16M to 16T$/, [['dm.basesize', '0']]],
      [/dm\.basesize=1M is out of range: give 16M to 16T$/, [['dm.basesize', '1M']]],
      [/dm\.basesize=7000p is out of range: give 16M to 16T$/, [['dm.basesize', '7000p']]],
      [/dm\.basesize=99999p is out of range: give 16M to 16T$/, [['dm.basesize', '99999p']]],
      [/dm\.loopdatasize=1M is out of range: give 16M to 64T$/, [['dm.loopdatasize', '1M']]],
      [/dm\.loopdatasize=7000p is out of range: give 16M to 64T$/, [['dm.loopdatasize', '7000p']]],
      [/dm\.loopdatasize=99999p is out of range: give 16M to 64T$/, [['dm.loopdatasize', '99999p']]],
      [/dm\.loopmetadatasize=4k is out of range: give 2M to 16G$/, [['dm.loopmetadatasize', '4k']]],
      [/dm\.loopmetadatasize=99999p is out of range: give 2M to 16G$/, [['dm.loopmetadatasize', '99999p']]],
      [/dm\.blocksize=100K is out of range/, [['dm.blocksize', '100K']]],
      [/dm\.blocksize=2G is out of range/, [['dm.blocksize', '2G']]],
      [/dm\.min_free_space=10 is out of range/, [['dm.min_free_space', '10']]],
      [/dm\.min_free_space=100% is out of range/, [['dm.min_free_space', '100%']]],
      [/dm\.blkdiscard: cannot read "maybe"/, [['dm.blkdiscard', 'maybe']]],
      [/dm\.libdm_log_level=8 is out of range/, [['dm.libdm_log_level', '8']]],
      [/dm\.xfs_nospace_max_retries=-1 is out of range/, [['dm.xfs_nospace_max_retries', '-1']]],
      [/dm\.thinpooldev=\/dev\/sdb\/x is no name/, [['dm.thinpooldev', '/dev/sdb/x']]],
      [/dm\.datadev=sdb is no path/, [['dm.datadev', 'sdb']]],
      [
        /go with no other pool/,
        [
          ['dm.datadev', '/dev/sdb'],
          ['dm.thinpooldev', 'pool'],
        ],
      ],
      [
        /one of the two/,
        [
          ['dm.directlvm_device', '/dev/sdb'],
          ['dm.thinpooldev', 'pool'],
        ],
      ],
      [/must provide device path in `dm\.directlvm_device`/, [['dm.thinp_percent', '90']]],
      [
        /must set both/,
        [
          ['dm.directlvm_device', '/dev/sdb'],
          ['dm.thinp_percent', '90'],
        ],
      ],
      [
        /must not be greater than 100/,
        [
          ['dm.directlvm_device', '/dev/sdb'],
          ['dm.thinp_percent', '99'],
          ['dm.thinp_metapercent', '2'],
        ],
      ],
      [
        /add --storage-opt dm\.use_deferred_removal=true/,
        [
          ['dm.use_deferred_removal', '0'],
          ['dm.use_deferred_deletion', '1'],
        ],
      ],
    ];
    for (const [words, options] of wrong) {
      assert.throws(
        () => read(...options),
        (error) => {
          assert.ok(error instanceof Error && 'code' in error && error.code === 'InvalidParameter');
          assert.match(error.message, words);
          assert.doesNotMatch(error.message, /\n/);
          return true;
        },
      );
    }
  });

  test('of a container are its size alone', () => {
    assert.equal(requestedSize(undefined), undefined);
    assert.equal(requestedSize({ storageOptions: { size: '20G' } }), 20 * 1024 ** 3);
    assert.throws(() => requestedSize({ storageOptions: { size: '0' } }), /invalid storage size: 0/);
    assert.throws(
      () => requestedSize({ storageOptions: { size: '7000p' } }),
      /--storage-opt size=7000p is out of range: give at most 16T$/,
    );
    assert.throws(() => requestedSize({ storageOptions: { nonsense: '1' } }), /unknown option nonsense/);
  });
});

describe("device-mapper's lines", () => {
  test('are written as the kernel documents them', () => {
    const table = poolTable({ metadata: '7:1', data: '7:0' }, 1024 ** 3 + 100, 64 * 1024);
    assert.deepEqual(table, {
      type: 'thin-pool',
      sectors: 2 * 1024 ** 2,
      parameters: '7:1 7:0 128 32768 2 skip_block_zeroing error_if_no_space',
    });
    assert.deepEqual(parsePoolTable(table), { metadata: '7:1', data: '7:0', blockBytes: 64 * 1024 });
    assert.deepEqual(thinTable('254:0', 7, 4096), { type: 'thin', sectors: 8, parameters: '254:0 7' });
  });

  test('are read as the kernel documents them', () => {
    const status = (parameters: string) => parsePoolStatus({ type: 'thin-pool', sectors: 1, parameters });
    const good = '12 141/524288 4500/1638400 - rw discard_passdown error_if_no_space - 1024 ';
    assert.deepEqual(status(good), {
      transaction: 12,
      metadataUsed: 141,
      metadataTotal: 524_288,
      dataUsed: 4500,
      dataTotal: 1_638_400,
      mode: 'rw',
      needsCheck: false,
    });
    assert.equal(status(good.replace('rw', 'out_of_data_space'))?.mode, 'out_of_data_space');
    const broken = status(good.replace('rw', 'ro').replace('space -', 'space needs_check'));
    assert.deepEqual([broken?.mode, broken?.needsCheck], ['ro', true]);
    assert.equal(status('Fail'), undefined);
  });

  test("a pool's metadata is told from zeros and from anything else", () => {
    const block = Buffer.alloc(4096);
    assert.equal(parseSuperblock(block, '/dev/x'), undefined);
    block.writeUInt32LE(1, 4);
    block.writeBigUInt64LE(27_022_010n, 32);
    block.writeBigUInt64LE(9n, 48);
    block.writeBigUInt64LE(100n, 64);
    block.writeBigUInt64LE(512n, 192);
    block.writeUInt32LE(1024, 336);
    assert.deepEqual(parseSuperblock(block, '/dev/x'), {
      transaction: 9,
      blockBytes: 512 * 1024,
      dataBytes: 100 * 512 * 1024,
      metadataBytes: 512 * 4096,
      needsCheck: true,
    });
    assert.throws(
      () => parseSuperblock(Buffer.alloc(4096, 7), '/dev/x'),
      /\/dev\/x holds no thin pool's metadata/,
    );
  });
});

describe("devicemapper's files", () => {
  test('are what Docker writes, and one that is damaged is named', () => {
    using store = makeStore();
    const home = `${store.dataRoot}/devicemapper`;
    const metadata = new Metadata(home);
    metadata.make();
    const id = 'a'.repeat(64);
    const file = `${home}/metadata/${id}`;
    const info = {
      device_id: 7,
      size: 10_737_418_240,
      transaction_id: 12,
      initialized: false,
      deleted: false,
    };
    metadata.writeDevice(id, info);
    assert.equal(
      readFileSync(file, 'utf8'),
      '{"device_id":7,"size":10737418240,"transaction_id":12,"initialized":false,"deleted":false}',
    );
    assert.deepEqual(metadata.device(id), info);
    // Docker before 1.9 did not say whether a device is deleted.
    writeFileSync(file, '{"device_id":7,"size":10737418240,"transaction_id":12,"initialized":false}');
    assert.deepEqual(metadata.device(id), info);
    metadata.writeTransaction({ open_transaction_id: 13, device_hash: '', device_id: 8 });
    metadata.writeDeviceSet({ next_device_id: 0, BaseDeviceUUID: 'x', BaseDeviceFilesystem: 'xfs' });
    metadata.writeDevice(BASE, { ...info, initialized: true });
    assert.deepEqual(metadata.ids(), [id]);
    assert.deepEqual(readdirSync(`${home}/.tsengine`), []);
    for (const text of [
      '',
      '{',
      '[]',
      '{"device_id":"7"}',
      '{"device_id":16777216,"size":1,"transaction_id":1,"initialized":true}',
    ]) {
      writeFileSync(file, text);
      assert.throws(
        () => metadata.device(id),
        (error) => {
          assert.ok(error instanceof Error && 'code' in error && error.code === 'Corrupt', String(error));
          assert.ok(
            error.message.includes(`${file} is damaged`) && !error.message.includes('\n'),
            error.message,
          );
          return true;
        },
      );
    }
  });
});

test('a transaction that no driver wrote is damage: its names become paths', () => {
  using store = makeStore();
  const home = `${store.dataRoot}/devicemapper`;
  const metadata = new Metadata(home);
  metadata.make();
  const write = (device_hash: string, device_id: number): void =>
    writeFileSync(
      `${home}/metadata/transaction-metadata`,
      JSON.stringify({ open_transaction_id: 3, device_hash, device_id }),
    );
  for (const hash of ['', BASE, 'a'.repeat(64), `${'a'.repeat(64)}-init`]) {
    write(hash, 0xff_ffff);
    assert.equal(metadata.transaction()?.device_hash, hash);
  }
  for (const [hash, deviceId] of [
    ['../../etc', 1],
    ['/etc', 1],
    ['..', 1],
    ['deviceset-metadata', 1],
    ['transaction-metadata', 1],
    ['', -1],
    ['', 0x100_0000],
  ] as const) {
    write(hash, deviceId);
    assert.throws(() => metadata.transaction(), /transaction-metadata is damaged \(field "device_/, hash);
  }
});

describe("devicemapper's pool", () => {
  test('is called after the folder that a link leads to', () => {
    using store = makeStore();
    const [home, link] = [`${store.dataRoot}/real`, `${store.dataRoot}/link`];
    mkdirSync(home);
    symlinkSync(home, link);
    assert.match(new Pool(home, read()).prefix, new RegExp(`-${statSync(home).ino}$`));
    assert.equal(new Pool(link, read()).prefix, new Pool(home, read()).prefix);
  });

  test('gets a loop file anew that a kill left empty, and one that has a size never shrinks', () => {
    using store = makeStore();
    const folder = `${store.dataRoot}/devicemapper`;
    mkdirSync(folder);
    const [data, metadata] = [`${folder}/data`, `${folder}/metadata`];
    const size = (): number => statSync(data).size;
    const pool = new Pool(store.dataRoot, read());
    assert.equal(pool.lostFile(), data);
    writeFileSync(data, '');
    assert.equal(pool.lostFile(), data);
    makeLoopFile('data', data, 5000);
    assert.equal(size(), 5000);
    assert.equal(pool.lostFile(), metadata);
    makeLoopFile('metadata', metadata, undefined);
    assert.equal(statSync(metadata).size, 2 * 1024 ** 3);
    assert.equal(pool.lostFile(), undefined);
    makeLoopFile('data', data, undefined);
    makeLoopFile('data', data, 6000);
    growLoopFile('data', data, 4000);
    assert.equal(size(), 5000);
    growLoopFile('data', data, 6000);
    assert.equal(size(), 6000);
    assert.equal(new Pool(store.dataRoot, read(['dm.thinpooldev', 'x']), 'x').lostFile(), undefined);
  });

  test('is made of devices whose names may have a slash', () => {
    assert.equal(nodeOfSysfs('../../devices/virtual/block/loop0'), '/dev/loop0');
    assert.equal(nodeOfSysfs('../../devices/pci0/block/cciss!c0d0/cciss!c0d0p1'), '/dev/cciss/c0d0p1');
  });

  test('of a store that is half made, with files of anything, is nothing to detach', async () => {
    using store = makeStore();
    const { home, runHome } = store.context('devicemapper');
    const place = { home, runHome, image: '', size: 1, program: 'tsengine', teardown: '' };
    await devicemapperStore.detach(place);
    mkdirSync(`${home}/metadata`, { recursive: true });
    writeFileSync(`${home}/metadata/base`, '{');
    writeFileSync(`${home}/metadata/transaction-metadata`, '{');
    await devicemapperStore.detach(place);
    assert.equal(readFileSync(`${home}/metadata/base`, 'utf8'), '{');
  });
});

test('a kernel without device-mapper is said to be one, and nothing is made', {
  skip: existsSync('/sys/class/misc/device-mapper') ? 'this kernel has device-mapper' : false,
}, async () => {
  using store = makeStore();
  await assertFails(
    store.open('devicemapper'),
    'Unavailable',
    /this kernel has no device-mapper: load its module dm_mod/,
  );
  assert.deepEqual(readdirSync(store.dataRoot), []);
  // A bad option is found first.
  await assertFails(store.open('devicemapper', [['dm.fs', 'zfs']]), 'InvalidParameter', /dm\.fs=zfs/);
  mkdirSync(`${store.dataRoot}/devicemapper/metadata`, { recursive: true });
  writeFileSync(`${store.dataRoot}/devicemapper/metadata/${'a'.repeat(64)}`, '');
  await assertFails(store.open(), 'Unavailable', /device-mapper/);
});
