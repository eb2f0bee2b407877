/** Devices that are named for a pool: what is on them, and how they are known again. With pools: test/lab/devicemapper/given-devices.sh. */
import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { describe, test } from 'node:test';
import { BaseDevice } from '../../src/drivers/devicemapper/base-device.ts';
import { blockPart } from '../../src/drivers/devicemapper/block-part.ts';
import { DeviceSet } from '../../src/drivers/devicemapper/device-set.ts';
import { mustBeFree } from '../../src/drivers/devicemapper/direct-lvm.ts';
import { givenDevices, noteGiven } from '../../src/drivers/devicemapper/given-devices.ts';
import { Metadata } from '../../src/drivers/devicemapper/metadata.ts';
import { readEngineOptions } from '../../src/drivers/devicemapper/options.ts';
import { Pool } from '../../src/drivers/devicemapper/pool.ts';
import { lostPool, mustHoldPool } from '../../src/drivers/devicemapper/pool-errors.ts';
import { holdsSomething, signatureOf } from '../../src/drivers/devicemapper/signature.ts';
import { mustBeUsable } from '../../src/drivers/devicemapper/usable.ts';
import { device, partitioned, run, writeAt } from '../helpers/block-devices.ts';
import { makeStore } from '../helpers/stores.ts';

const MIB = 1024 * 1024;

function writeInto(path: string, offset: number, data: Buffer): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, data, 0, data.length, offset);
  closeSync(fd);
}

/** What marks a device, by what wipefs calls it. */
const MARKS: readonly (readonly [type: string, make: (path: string) => void])[] = [
  ['ext4', (path) => run('mkfs.ext4', '-q', '-F', path)],
  ['ext2', (path) => run('mkfs.ext4', '-q', '-F', '-t', 'ext2', path)],
  ['xfs', (path) => run('mkfs.xfs', '-q', '-f', path)],
  ['btrfs', (path) => run('mkfs.btrfs', '-q', '-f', path)],
  ['swap', (path) => run('mkswap', '--quiet', path)],
  ['dos', (path) => partitioned(path)],
  [
    'crypto_LUKS',
    (path) => {
      const fd = openSync(path, 'r+');
      closeSync(
        writeAt(fd, Buffer.concat([Buffer.from('LUKS\xba\xbe\0\x01', 'latin1'), Buffer.alloc(1024)])),
      );
    },
  ],
];

describe('what is on a device', () => {
  for (const [type, make] of MARKS) {
    test(`is told: ${type}`, async () => {
      using store = makeStore();
      using loop = device(store, 'disk', 512 * MIB);
      assert.equal(await signatureOf(loop.path), undefined);
      make(loop.path);
      assert.equal(await signatureOf(loop.path), type);
      const { home } = store.context('devicemapper');
      const options = readEngineOptions({ options: [['dm.datadev', loop.path]] });
      await assert.rejects(mustBeUsable(home, options), {
        code: 'Conflict',
        message: `devicemapper: ${loop.path} holds ${type}, which a pool would overwrite: name another device, or, where nobody needs that, erase it (wipefs -a ${loop.path})`,
      });
      run('wipefs', '--quiet', '--all', loop.path);
      await mustBeUsable(home, options);
    });
  }

  test('is asked of wipefs for dm.directlvm_device too, and beyond the marks that it knows', async () => {
    using store = makeStore();
    using loop = device(store, 'disk');
    const refused = (what: string) => ({
      code: 'Conflict',
      message: `devicemapper: ${loop.path} is not empty: use dm.directlvm_device_force=true if you want to wipe the device, which holds ${what}`,
    });
    const free = (force = false) => mustBeFree({ device: loop.path, force });
    await free();
    // A member of an md array whose superblock (1.0, or 0.90) is at the end.
    writeInto(loop.path, 128 * MIB - 64 * 1024, Buffer.from('fc4e2ba9', 'hex'));
    assert.equal(await signatureOf(loop.path), 'linux_raid_member');
    await assert.rejects(free(), refused(`linux_raid_member, or erase it (wipefs -a ${loop.path})`));
    await free(true);
    run('wipefs', '--quiet', '--all', loop.path);
    await free();
    writeInto(loop.path, 100_000, Buffer.from('x'));
    await assert.rejects(free(), refused('data'));
  });

  test('is anything but zeros where there is no wipefs', async () => {
    using store = makeStore();
    using loop = device(store, 'disk');
    const none = () => undefined;
    assert.equal(await signatureOf(loop.path, none), undefined);
    writeFileSync(loop.file, Buffer.from('x'), { flag: 'r+' });
    run('blockdev', '--flushbufs', loop.path);
    assert.equal(await signatureOf(loop.path, none), 'data');
    assert.equal(await signatureOf(loop.path), undefined);
    assert.match(
      holdsSomething(loop.path, 'data', false, none).message,
      /erase it \(dd if=\/dev\/zero of=\/dev\/loop\d+ bs=131072 count=1\)$/,
    );
  });

  test('is left to metadata that is a pool, and is refused beneath metadata that is none', async () => {
    using store = makeStore();
    using data = device(store, 'disk');
    using metadata = device(store, 'metadata', 16 * MIB);
    const { home } = store.context('devicemapper');
    const options = readEngineOptions({
      options: [
        ['dm.datadev', data.path],
        ['dm.metadatadev', metadata.path],
      ],
    });
    await mustBeUsable(home, options);
    run('mkfs.ext4', '-q', data.path);
    await assert.rejects(mustBeUsable(home, options), /\/dev\/loop\d+ holds ext4, /);
    writeSuperblock(metadata.path, 0);
    await assert.rejects(mustBeUsable(home, options), /\/dev\/loop\d+ holds ext4, /);
    // One that has layers is refused when it is asked what it holds.
    writeSuperblock(metadata.path, 1);
    await mustBeUsable(home, options);
    // A set-up of this very home that a kill ended.
    writeSuperblock(metadata.path, 0);
    const record = new Metadata(home);
    record.make();
    record.writeTransaction({ open_transaction_id: 1, device_hash: '', device_id: 0 });
    await mustBeUsable(home, options);
    run('mkfs.ext4', '-q', '-F', metadata.path);
    await assert.rejects(mustBeUsable(home, options), {
      message: new RegExp(
        `^devicemapper: ${metadata.path} holds ext4, .*erase it \\(wipefs -a ${metadata.path} && dd if=/dev/zero of=${metadata.path} bs=4096 count=1\\)$`,
      ),
    });
  });

  test('of a root with layers has to be its metadata', () => {
    using store = makeStore();
    using loop = device(store, 'metadata', 16 * MIB);
    const part = blockPart(loop.path);
    assert.throws(
      () => mustHoldPool('/root/devicemapper', part),
      /\/dev\/loop\d+ holds no pool's metadata, and the layers in \/root\/devicemapper are in a pool/,
    );
    writeSuperblock(loop.path, 1);
    mustHoldPool('/root/devicemapper', part);
  });
});

/** The first block of a pool's metadata, as far as anything but the kernel reads it. */
function writeSuperblock(path: string, transaction: number): void {
  const block = Buffer.alloc(4096);
  block.writeBigUInt64LE(27_022_010n, 32);
  block.writeBigUInt64LE(BigInt(transaction), 48);
  block.writeUInt32LE(128, 336);
  const fd = openSync(path, 'r+');
  closeSync(writeAt(fd, block));
}

describe('the devices that were named', () => {
  test('are on record, and said where they are not named again', () => {
    using store = makeStore();
    const { home } = store.context('devicemapper');
    const record = new Metadata(home);
    record.make();
    const note = (...options: readonly (readonly [string, string])[]): void =>
      noteGiven(home, readEngineOptions({ options }).source);
    note();
    assert.equal(givenDevices(home), undefined);
    assert.match(
      lostPool(home, `${home}/devicemapper/data`).message,
      /put that back, or, where it is another/,
    );
    note(['dm.datadev', '/dev/sdb'], ['dm.metadatadev', '/dev/disk/by-id/with blank']);
    record.sweep();
    assert.deepEqual(givenDevices(home), {
      'dm.datadev': '/dev/sdb',
      'dm.metadatadev': '/dev/disk/by-id/with blank',
    });
    const { message, code } = lostPool(home, `${home}/devicemapper/data`);
    assert.equal(code, 'InvalidParameter');
    assert.equal(
      message,
      `devicemapper: the pool of ${home} is on devices that this command does not name: add --storage-opt dm.datadev=/dev/sdb --storage-opt dm.metadatadev='/dev/disk/by-id/with blank', to every command or in daemon.json (storage-opts)`,
    );
    note(['dm.thinpooldev', 'pool']);
    assert.deepEqual(givenDevices(home), { 'dm.thinpooldev': '/dev/mapper/pool' });
    writeFileSync(`${home}/.tsengine/given-devices.json`, '{');
    assert.equal(givenDevices(home), undefined);
  });
});

test('a filesystem that is not that of the base device is warned of, each time', () => {
  using store = makeStore();
  const { home, runHome } = store.context('devicemapper');
  const metadata = new Metadata(home);
  metadata.make();
  metadata.writeDeviceSet({ next_device_id: 0, BaseDeviceUUID: 'x', BaseDeviceFilesystem: 'ext4' });
  const warnings: string[] = [];
  const warn = (message: string): number => warnings.push(message);
  for (const fs of ['xfs', 'ext4', undefined, 'xfs']) {
    const options = readEngineOptions({ options: fs === undefined ? [] : [['dm.fs', fs]] });
    const set = new DeviceSet({
      pool: new Pool(home, options),
      metadata,
      options,
      runHome,
      mounts: `${home}/mnt`,
      warn,
    });
    new BaseDevice(set, options, runHome, warn).warnOfFilesystem();
  }
  const line =
    'devicemapper: the base device has ext4 on it already: dm.fs=xfs is ignored; choose another --data-root for that';
  assert.deepEqual(warnings, [line, line]);
});
