import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadOrder, missingModules, moduleName, parseModules } from '../../src/lab/modules.ts';

const DEP = `kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio.ko:
kernel/drivers/md/dm-thin-pool.ko.xz: kernel/drivers/md/dm-mod.ko.xz
kernel/drivers/md/dm-mod.ko.xz:
kernel/a.ko: kernel/b.ko
kernel/b.ko: kernel/a.ko
`;
const table = parseModules(DEP, 'kernel/fs/ext4/ext4.ko\nkernel/crypto/crc32c-generic.ko\n');

describe('modules', () => {
  test('have the name of their file, with _ for -, without endings', () => {
    assert.equal(moduleName('kernel/drivers/md/dm-thin-pool.ko.xz'), 'dm_thin_pool');
    assert.equal(moduleName('virtio.ko'), 'virtio');
  });

  test('load after what they need, each once', () => {
    const order = loadOrder(['virtio_blk', 'virtio_ring', 'dm_thin_pool'], table);
    assert.deepEqual(order.map(moduleName), [
      'virtio',
      'virtio_ring',
      'virtio_blk',
      'dm_mod',
      'dm_thin_pool',
    ]);
  });

  test('that are built in or absent have no file', () => {
    assert.deepEqual(loadOrder(['ext4', 'nosuch'], table), []);
  });

  test('that need each other do not hang it', () => {
    assert.equal(loadOrder(['a'], table).length, 2);
  });

  test('are missing when they are neither', () => {
    assert.deepEqual(missingModules(['ext4', 'crc32c_generic', 'virtio_blk', 'squashfs'], table), [
      'squashfs',
    ]);
  });
});
