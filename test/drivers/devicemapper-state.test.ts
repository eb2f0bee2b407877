/** What devicemapper makes of state that is damaged or of another pool, and of mount options. With real pools: test/lab/devicemapper/. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { DeviceSet } from '../../src/drivers/devicemapper/device-set.ts';
import { mountLayer } from '../../src/drivers/devicemapper/layer-filesystem.ts';
import { BASE, Metadata } from '../../src/drivers/devicemapper/metadata.ts';
import { splitMountOptions } from '../../src/drivers/devicemapper/mount-options.ts';
import { readEngineOptions } from '../../src/drivers/devicemapper/options.ts';
import { Pool } from '../../src/drivers/devicemapper/pool.ts';
import { unmount } from '../../src/linux/mount.ts';
import { readMountInfo } from '../../src/linux/mountinfo.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { makeStore } from '../helpers/stores.ts';

test('what is to be done about a damaged file depends on whose it is', () => {
  using store = makeStore();
  const home = `${store.dataRoot}/devicemapper`;
  const metadata = new Metadata(home);
  metadata.make();
  for (const [name, read, advice] of [
    [BASE, () => metadata.device(BASE), /or remove it: new layers get a base device made anew/],
    ['transaction-metadata', () => metadata.transaction(), /or remove it: a step that was interrupted/],
    ['deviceset-metadata', () => metadata.deviceSet(), /or remove it: it is made anew/],
    ['a'.repeat(64), () => metadata.device('a'.repeat(64)), /or remove it, and that layer is gone$/],
  ] as const) {
    writeFileSync(`${home}/metadata/${name}`, '{');
    assert.throws(read, advice, name);
  }
});

test('a transaction that cannot be the next one of the pool is damage, and nothing is deleted', async () => {
  using store = makeStore();
  const { home, runHome } = store.context('devicemapper');
  const metadata = new Metadata(home);
  metadata.make();
  class PoolAt7 extends Pool {
    override status() {
      const blocks = { metadataUsed: 1, metadataTotal: 9, dataUsed: 1, dataTotal: 9 };
      return { transaction: 7, ...blocks, mode: 'rw', needsCheck: false } as const;
    }
  }
  const options = readEngineOptions({ options: [] });
  const set = new DeviceSet({
    pool: new PoolAt7(home, options),
    metadata,
    options,
    runHome,
    mounts: `${home}/mnt`,
    warn: () => undefined,
  });
  const id = 'a'.repeat(64);
  metadata.writeDevice(id, { device_id: 3, size: 1, transaction_id: 9, initialized: false, deleted: false });
  for (const open of [9, 100]) {
    metadata.writeTransaction({ open_transaction_id: open, device_hash: id, device_id: 3 });
    assert.throws(() => set.recover(), {
      code: 'Corrupt',
      message: new RegExp(`/transaction-metadata is at step ${open}, and the pool docker-.*-pool at 7: `),
    });
    assert.equal(metadata.device(id)?.device_id, 3);
    assert.equal(metadata.transaction()?.open_transaction_id, open);
  }
  metadata.writeTransaction({ open_transaction_id: 7, device_hash: id, device_id: 3 });
  set.recover();
  assert.equal(metadata.device(id)?.device_id, 3);
});

describe("devicemapper's mount options", () => {
  test('that are flags of mount(2) are flags, and of two that exclude each other the later counts', () => {
    const split = (options: string, flags?: number) => splitMountOptions(options, flags);
    assert.deepEqual(split(''), { flags: 0, words: [] });
    assert.deepEqual(split('nodiratime,discard,noatime'), { flags: 2048 | 1024, words: ['discard'] });
    assert.deepEqual(split('defaults,rw,suid,dev,exec,async,loud,diratime'), { flags: 0, words: [] });
    assert.deepEqual(split('ro,nosuid,rw,nodev,noexec'), { flags: 2 | 4 | 8, words: [] });
    assert.deepEqual(split('noatime,relatime'), { flags: 1 << 21, words: [] });
    assert.deepEqual(split('relatime,strictatime', 1), { flags: 1 | (1 << 24), words: [] });
    assert.deepEqual(split('strictatime,noatime', 1024), { flags: 1024, words: [] });
    assert.deepEqual(split('nosuchopt,bind'), { flags: 0, words: ['nosuchopt', 'bind'] });
  });

  test('of Docker are taken by both filesystems', () => {
    for (const type of ['ext4', 'xfs'] as const) {
      using filesystem = makeFilesystem(type);
      const source = readMountInfo().findLast(
        ({ mountPoint }) => mountPoint.toString() === filesystem.path,
      )?.source;
      assert.ok(source !== undefined);
      const target = `${filesystem.path}/again`;
      mkdirSync(target);
      for (const options of [
        'nodiratime',
        'relatime',
        'strictatime',
        'noatime,nodiratime',
        'lazytime,dirsync',
      ]) {
        mountLayer({ node: source.toString(), minor: -1, target, options, xfsNospaceRetries: '0' });
        unmount(target);
      }
    }
  });
});
