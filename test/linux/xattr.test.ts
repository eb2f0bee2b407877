/** Extended attributes as bytes, on the filesystems that layers lie on. */
import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { closeFd, O_RDWR, openAt } from '../../src/linux/at.ts';
import { AT_FDCWD } from '../../src/linux/stat.ts';
import {
  fgetxattr,
  flistxattr,
  fsetxattr,
  hasAccessLists,
  lgetxattr,
  llistxattr,
  lremovexattr,
  lsetxattr,
} from '../../src/linux/xattr.ts';
import { makeFilesystem } from '../helpers/loop.ts';

for (const type of ['ext4', 'xfs', 'btrfs'] as const) {
  test(`names and values of any bytes, on ${type}`, () => {
    using filesystem = makeFilesystem(type);
    const path = `${filesystem.path}/f`;
    writeFileSync(path, '');
    const odd = Buffer.from([...Buffer.from('user.'), 0xff, 0x3d, 0x0a, 0x80]);
    const value = Buffer.from([0, 1, 255, 0]);
    lsetxattr(path, odd, value);
    lsetxattr(path, 'trusted.empty', Buffer.alloc(0));
    lsetxattr(path, 'trusted.empty', Buffer.alloc(0));
    assert.deepEqual(lgetxattr(path, odd), value);
    assert.deepEqual(lgetxattr(path, 'trusted.empty'), Buffer.alloc(0));
    assert.equal(lgetxattr(path, 'user.absent'), undefined);
    const own = llistxattr(path).filter((name) => !name.includes('security.selinux'));
    assert.deepEqual(own, [Buffer.from('trusted.empty'), odd]);
    lremovexattr(path, odd);
    lremovexattr(path, odd);
    assert.equal(lgetxattr(path, odd), undefined);
    const fd = openAt(AT_FDCWD, path, O_RDWR);
    fsetxattr(fd, 'user.open', value);
    assert.deepEqual(fgetxattr(fd, 'user.open'), value);
    assert.ok(flistxattr(fd).some((name) => name.equals(Buffer.from('user.open'))));
    assert.equal(fgetxattr(fd, 'user.absent'), undefined);
    closeFd(fd);
  });
}

test('values larger than the first buffer', () => {
  using filesystem = makeFilesystem('xfs');
  const path = `${filesystem.path}/f`;
  writeFileSync(path, '');
  for (const size of [4095, 4096, 4097, 65_536]) {
    const value = Buffer.alloc(size, size & 0xff);
    lsetxattr(path, 'user.large', value);
    assert.deepEqual(lgetxattr(path, 'user.large'), value);
  }
  for (let i = 0; i < 200; i++) lsetxattr(path, `user.${'n'.repeat(100)}${i}`, Buffer.from('v'));
  assert.equal(llistxattr(path).length, 201);
});

test('a link itself is meant, and what it cannot have is an error', () => {
  using filesystem = makeFilesystem('ext4');
  writeFileSync(`${filesystem.path}/f`, '');
  symlinkSync('f', `${filesystem.path}/l`);
  lsetxattr(`${filesystem.path}/l`, 'trusted.l', Buffer.from('1'));
  assert.equal(lgetxattr(`${filesystem.path}/f`, 'trusted.l'), undefined);
  assert.throws(() => lsetxattr(`${filesystem.path}/l`, 'user.l', Buffer.from('1')), {
    code: 'EPERM',
    syscall: 'lsetxattr',
  });
  assert.throws(() => lgetxattr(`${filesystem.path}/absent`, 'user.l'), { code: 'ENOENT' });
  assert.throws(() => lsetxattr(`${filesystem.path}/f`, 'nonsense', Buffer.from('1')), {
    code: 'EOPNOTSUPP',
  });
  assert.equal(lgetxattr(`${filesystem.path}/f`, 'nonsense.x'), undefined);
  assert.deepEqual(llistxattr('/proc/self/status'), []);
});

test('a filesystem has access control lists, or has not', () => {
  using filesystem = makeFilesystem('ext4');
  assert.equal(hasAccessLists(filesystem.path), true);
  assert.equal(hasAccessLists('/proc'), false);
  assert.throws(() => hasAccessLists(`${filesystem.path}/none`), { code: 'ENOENT', syscall: 'lgetxattr' });
});
