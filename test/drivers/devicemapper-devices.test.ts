/** Devices that are named for a pool: who holds them, and what is on them. With pools: test/lab/devicemapper/given-devices.sh. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { describe, test } from 'node:test';
import { BaseDevice } from '../../src/drivers/devicemapper/base-device.ts';
import { blockPart } from '../../src/drivers/devicemapper/block-part.ts';
import { DeviceSet } from '../../src/drivers/devicemapper/device-set.ts';
import { mustBeFree } from '../../src/drivers/devicemapper/direct-lvm.ts';
import { givenDevices, noteGiven } from '../../src/drivers/devicemapper/given-devices.ts';
import { mustBeUnheld, mustDiffer } from '../../src/drivers/devicemapper/holders.ts';
import { Metadata } from '../../src/drivers/devicemapper/metadata.ts';
import { readEngineOptions } from '../../src/drivers/devicemapper/options.ts';
import { Pool } from '../../src/drivers/devicemapper/pool.ts';
import { lostPool, mustHoldPool } from '../../src/drivers/devicemapper/pool-errors.ts';
import { holdsSomething, signatureOf } from '../../src/drivers/devicemapper/signature.ts';
import { mustBeUsable } from '../../src/drivers/devicemapper/usable.ts';
import { attachLoop, type LoopDevice } from '../../src/linux/loop.ts';
import { atExit } from '../helpers/loop.ts';
import { makeStore, type TestStore } from '../helpers/stores.ts';

const MIB = 1024 * 1024;
const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' });

/** A loop device on a new file of the store. It detaches itself, whatever becomes of the test. */
function device(store: TestStore, name: string, size = 128 * MIB): LoopDevice & { readonly file: string } {
  const file = `${store.dataRoot}/${name}`;
  writeFileSync(file, '');
  truncateSync(file, size);
  return { ...attachLoop(file), file };
}

/** A loop device on 64 MiB of a file or of a device. */
function loopOn(file: string, offset: number): Disposable & { readonly path: string } {
  const range = ['--offset', `${offset}`, '--sizelimit', `${64 * MIB}`];
  const path = run('losetup', '--show', '--find', ...range, file).trim();
  return { path, [Symbol.dispose]: atExit(() => run('losetup', '--detach', path)) };
}

/** A device that a program has for itself. */
function hadBySomebody(path: string): Disposable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_EXCL);
  return { [Symbol.dispose]: atExit(() => closeSync(fd)) };
}

const unheld = (path: string): void => mustBeUnheld(blockPart(path), () => false);

/** Mounted until the store goes, or `close` is called. */
function mounted(store: TestStore, source: string, name = 'mounted'): { path: string; close: () => void } {
  const path = `${store.dataRoot}/${name}`;
  mkdirSync(path);
  run('mount', source, path);
  return { path, close: () => run('umount', path) };
}

describe('a device is refused', () => {
  test('while it is mounted, with the mount point and the way out', () => {
    using store = makeStore();
    using loop = device(store, 'disk');
    unheld(loop.path);
    run('mkfs.ext4', '-q', loop.path);
    unheld(loop.path);
    const { path, close } = mounted(store, loop.path, 'with a blank');
    assert.throws(() => unheld(loop.path), {
      code: 'Conflict',
      message: `devicemapper: ${loop.path} is mounted on ${path}: name another device, or unmount it (umount '${path}') first`,
    });
    close();
    unheld(loop.path);
  });

  test('while a btrfs has it, by whichever of its devices that was mounted', () => {
    using store = makeStore();
    using one = device(store, 'one');
    using two = device(store, 'two');
    run('mkfs.btrfs', '-q', one.path, two.path);
    const { close } = mounted(store, one.path);
    for (const { path } of [one, two])
      assert.throws(
        () => unheld(path),
        /(is mounted on \/.*\/mounted|is part of the mounted btrfs [-0-9a-f]+): /,
      );
    close();
    unheld(two.path);
  });

  test('while one of its partitions is mounted, and a partition while its disk is', () => {
    using store = makeStore();
    using loop = device(store, 'disk');
    run('partx', '--add', partitioned(loop.path));
    const [part, removed] = [`${loop.path}p1`, atExit(() => run('partx', '--delete', loop.path))];
    try {
      run('mkfs.ext4', '-q', part);
      const { path, close } = mounted(store, part);
      const line = `is mounted on ${path}: name another device, or unmount it (umount ${path}) first`;
      assert.throws(() => unheld(part), { message: `devicemapper: ${part} ${line}` });
      assert.throws(() => unheld(loop.path), { message: `devicemapper: ${loop.path} (as ${part}) ${line}` });
      // One beside it.
      unheld(`${loop.path}p2`);
      mustDiffer(blockPart(part), blockPart(`${loop.path}p2`));
      close();
      unheld(loop.path);
      assert.throws(() => mustDiffer(blockPart(loop.path), blockPart(part)), /are the same device/);
    } finally {
      removed();
    }
  });

  test('while another loop device on the same bytes of its file is in use', () => {
    using store = makeStore();
    using loop = device(store, 'disk');
    using other = attachLoop(loop.file);
    unheld(other.path);
    assert.throws(
      () => mustDiffer(blockPart(loop.path), blockPart(other.path)),
      /: give dm\.datadev and dm\.metadatadev one each$/,
    );
    run('mkfs.ext4', '-q', loop.path, '64M');
    const { close } = mounted(store, loop.path);
    assert.throws(() => unheld(other.path), {
      message: new RegExp(`^devicemapper: ${other.path} \\(as ${loop.path}\\) is mounted on /`),
    });
    // As the pool's own loop file, which has another path.
    const part = { ...blockPart(other.path), path: loop.file };
    assert.throws(() => mustBeUnheld(part, () => false), {
      message: new RegExp(
        `^devicemapper: ${loop.file} \\(as ${loop.path}\\) is mounted on \\S+: unmount it `,
      ),
    });
    close();
  });

  test('and not for a loop device on other bytes of its file', () => {
    using store = makeStore();
    const file = `${store.dataRoot}/disk`;
    writeFileSync(file, '');
    truncateSync(file, 128 * MIB);
    using first = loopOn(file, 0);
    using second = loopOn(file, 64 * MIB);
    run('mkfs.ext4', '-q', first.path);
    const { close } = mounted(store, first.path);
    unheld(second.path);
    mustDiffer(blockPart(first.path), blockPart(second.path));
    assert.throws(() => unheld(first.path), /is mounted on/);
    close();
  });

  test('while a loop device on it is in use, and that while the device is', () => {
    using store = makeStore();
    using loop = device(store, 'disk', 192 * MIB);
    using first = loopOn(loop.path, 0);
    using second = loopOn(loop.path, 64 * MIB);
    // As it is to be found by another node, and one more below.
    const node = `${store.dataRoot}/node`;
    run('mknod', node, 'b', `${loop.major}`, `${loop.minor}`);
    using again = loopOn(node, 64 * MIB);
    using above = loopOn(second.path, 0);
    const all = [loop, first, second, again, above];
    for (const { path } of all) unheld(path);
    for (const other of [first, second, again, above])
      assert.throws(() => mustDiffer(blockPart(loop.path), blockPart(other.path)), /are the same device/);
    assert.throws(() => mustDiffer(blockPart(above.path), blockPart(again.path)), /are the same device/);
    assert.throws(() => mustDiffer(blockPart(above.path), blockPart(loop.path)), /are the same device/);
    mustDiffer(blockPart(above.path), blockPart(first.path));

    run('mkfs.ext4', '-q', above.path);
    const upper = mounted(store, above.path, 'upper');
    for (const { path } of [loop, second, again])
      assert.throws(() => unheld(path), {
        message: `devicemapper: ${path} (as ${above.path}) is mounted on ${upper.path}: name another device, or unmount it (umount ${upper.path}) first`,
      });
    unheld(first.path);
    upper.close();
    using user = hadBySomebody(second.path);
    assert.throws(() => unheld(above.path), {
      message: new RegExp(`^devicemapper: ${above.path} \\(as ${second.path}\\) is in use by something that`),
    });
    unheld(first.path);
    user[Symbol.dispose]();

    run('mkfs.ext4', '-q', '-F', loop.path);
    const lower = mounted(store, loop.path, 'lower');
    for (const { path } of [first, second, again, above])
      assert.throws(() => unheld(path), {
        message: new RegExp(`^devicemapper: ${path} \\(as ${loop.path}\\) is mounted on \\S+/lower: `),
      });
    lower.close();
    for (const { path } of all) unheld(path);
  });

  test('while a loop device on one of its partitions is in use, and not for one beside it', () => {
    using store = makeStore();
    using loop = device(store, 'disk');
    run('partx', '--add', partitioned(loop.path));
    const removed = atExit(() => run('partx', '--delete', loop.path));
    try {
      const [part, beside] = [`${loop.path}p1`, `${loop.path}p2`];
      using above = loopOn(part, 0);
      using user = hadBySomebody(above.path);
      for (const path of [loop.path, part])
        assert.throws(() => unheld(path), {
          message: new RegExp(`^devicemapper: ${path} \\(as ${above.path}\\) is in use by something that`),
        });
      unheld(beside);
      user[Symbol.dispose]();
      // Who has the one beside it has the disk as well, as the kernel says it.
      using _other = hadBySomebody(beside);
      for (const path of [part, above.path]) unheld(path);
      assert.throws(() => unheld(loop.path), /is in use by something that/);
    } finally {
      removed();
    }
  });

  test('while it is swap', (t) => {
    using store = makeStore();
    using loop = device(store, 'disk');
    run('mkswap', '--quiet', loop.path);
    try {
      run('swapon', loop.path);
    } catch (error) {
      // Not in a container without that right.
      t.skip(String(error));
      return;
    }
    const off = atExit(() => run('swapoff', loop.path));
    try {
      assert.throws(() => unheld(loop.path), {
        message: `devicemapper: ${loop.path} is in use as swap: name another device, or end that (swapoff ${loop.path}) first`,
      });
    } finally {
      off();
    }
    unheld(loop.path);
  });

  test('while a program has it for itself, and taken as soon as that ends', () => {
    using store = makeStore();
    using loop = device(store, 'disk');
    const fd = openSync(loop.path, constants.O_RDONLY | constants.O_EXCL);
    assert.throws(
      () => unheld(loop.path),
      /is in use by something that the kernel does not name \(a ZFS pool, .*\): name another device, or find it with fuser or lsof and stop it first$/,
    );
    closeSync(fd);
    unheld(loop.path);
  });
});

/** Writes a partition table of two partitions of 32 MiB. */
function partitioned(path: string): string {
  const table = Buffer.alloc(512);
  const sectors = (32 * MIB) / 512;
  for (const [entry, start] of [
    [446, 2048],
    [462, 2048 + sectors],
  ] as const) {
    table[entry + 4] = 0x83;
    table.writeUInt32LE(start, entry + 8);
    table.writeUInt32LE(sectors, entry + 12);
  }
  table.writeUInt16LE(0xaa55, 510);
  const fd = openSync(path, 'r+');
  closeSync(writeAt(fd, table));
  return path;
}

function writeAt(fd: number, data: Buffer): number {
  writeFileSync(fd, data);
  return fd;
}

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
