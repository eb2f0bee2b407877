/** Holes, copies inside the kernel, reflinks, and writing to disk. */
import assert from 'node:assert/strict';
import { fstatSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { closeFd, O_CREAT, O_RDWR, openAt } from '../../src/linux/at.ts';
import { readInto, writeAll } from '../../src/linux/files.ts';
import {
  copyFileRange,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  fallocate,
  ficlone,
  ftruncate,
  seekData,
  seekHole,
  seekTo,
} from '../../src/linux/space.ts';
import { AT_FDCWD, fstat } from '../../src/linux/stat.ts';
import { beginWriteback, syncfs, syncfsNow } from '../../src/linux/sync.ts';
import { makeFilesystem } from '../helpers/loop.ts';

const MIB = 1024 * 1024;
const open = (path: string) => openAt(AT_FDCWD, path, O_RDWR | O_CREAT, 0o600);

for (const type of ['ext4', 'xfs', 'btrfs', 'tmpfs'] as const) {
  test(`holes are seen, made and kept, on ${type}`, async () => {
    using filesystem = makeFilesystem(type);
    const fd = open(`${filesystem.path}/f`);
    ftruncate(fd, 8 * MIB);
    assert.equal(seekData(fd, 0), undefined);
    assert.equal(seekHole(fd, 0), 0);
    writeAll(fd, Buffer.alloc(MIB, 1), 2 * MIB);
    writeAll(fd, Buffer.alloc(MIB, 2), 5 * MIB);
    await syncfs(fd);
    assert.deepEqual([seekData(fd, 0), seekHole(fd, 2 * MIB)], [2 * MIB, 3 * MIB]);
    assert.deepEqual([seekData(fd, 3 * MIB), seekHole(fd, 5 * MIB)], [5 * MIB, 6 * MIB]);
    assert.equal(seekData(fd, 6 * MIB), undefined);
    assert.equal(seekData(fd, 9 * MIB), undefined);
    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * MIB, MIB);
    assert.equal(seekData(fd, 3 * MIB), undefined);
    seekTo(fd, 2 * MIB + 5);
    const byte = Buffer.alloc(1);
    assert.equal(readInto(fd, byte, 0, 1, null), 1);
    assert.equal(byte[0], 1);
    beginWriteback(fd);
    syncfsNow(fd);
    assert.ok(fstat(fd).blocks <= (MIB + 65_536) / 512);
    closeFd(fd);
  });

  test(`ranges are copied by the kernel, on ${type}`, () => {
    using filesystem = makeFilesystem(type);
    const from = open(`${filesystem.path}/from`);
    const to = open(`${filesystem.path}/to`);
    writeAll(from, Buffer.alloc(3 * MIB, 'abc'));
    let done = 0;
    for (let copied = -1; copied !== 0; done += copied)
      copied = copyFileRange(from, MIB + done, to, 100 + done, 8 * MIB);
    assert.equal(done, 2 * MIB);
    const copy = readFileSync(`${filesystem.path}/to`);
    assert.ok(copy.subarray(100).equals(readFileSync(`${filesystem.path}/from`).subarray(MIB)));
    closeFd(from);
    closeFd(to);
  });
}

for (const type of ['btrfs', 'xfs', 'ext4'] as const) {
  test(`reflinks, on ${type}`, () => {
    using filesystem = makeFilesystem(type, type === 'xfs' ? { mkfs: ['-m', 'reflink=1'] } : {});
    const from = open(`${filesystem.path}/from`);
    const to = open(`${filesystem.path}/to`);
    writeAll(from, Buffer.alloc(MIB, 'x'));
    if (type === 'ext4') {
      assert.throws(() => ficlone(from, to), { code: 'EOPNOTSUPP', syscall: 'ioctl_ficlone' });
    } else {
      ficlone(from, to);
      writeAll(to, Buffer.from('y'), 0);
      assert.deepEqual(
        [readFileSync(`${filesystem.path}/to`)[0], readFileSync(`${filesystem.path}/from`)[0]],
        [0x79, 0x78],
      );
      assert.equal(fstatSync(to).size, MIB);
    }
    closeFd(from);
    closeFd(to);
  });
}

test('what is full says so', () => {
  using filesystem = makeFilesystem('ext4', { size: 16 * MIB });
  writeFileSync(`${filesystem.path}/f`, '');
  truncateSync(`${filesystem.path}/f`, MIB);
  const fd = open(`${filesystem.path}/f`);
  assert.throws(() => fallocate(fd, 0, 0, 64 * MIB), {
    code: 'ENOSPC',
    message: 'fallocate: no space left on device',
  });
  assert.throws(() => writeAll(fd, Buffer.alloc(64 * MIB)), { code: 'ENOSPC', syscall: 'write' });
  closeFd(fd);
});
