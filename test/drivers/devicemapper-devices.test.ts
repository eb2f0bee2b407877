/** Devices that are named for a pool: who holds them. With pools: test/lab/devicemapper/given-devices.sh. */
import assert from 'node:assert/strict';
import { closeSync, constants, mkdirSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { blockPart } from '../../src/drivers/devicemapper/block-part.ts';
import { mustBeUnheld, mustDiffer } from '../../src/drivers/devicemapper/holders.ts';
import { attachLoop } from '../../src/linux/loop.ts';
import { device, partitioned, run } from '../helpers/block-devices.ts';
import { atExit } from '../helpers/loop.ts';
import { makeStore, type TestStore } from '../helpers/stores.ts';

const MIB = 1024 * 1024;

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
