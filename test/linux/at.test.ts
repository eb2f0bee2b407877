/** Calls relative to an open directory, against the real kernel. */
import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  chmodAt,
  closeFd,
  fchmod,
  fchown,
  futimens,
  lchownAt,
  linkAt,
  makeDev,
  mkdirAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  openAt,
  openAt2,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RENAME_WHITEOUT,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  readlinkAt,
  renameAt2,
  rmdirAt,
  symlinkAt,
  unlinkAt,
  utimensAt,
} from '../../src/linux/at.ts';
import { writeAll } from '../../src/linux/files.ts';
import { removeTree } from '../../src/linux/remove-tree.ts';
import { AT_FDCWD, fstat, lstat, lstatAt, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT } from '../../src/linux/stat.ts';

let root = '';
let fd = -1;
before(() => {
  root = mkdtempSync(join(tmpdir(), 'tsengine-at-'));
  fd = openAt(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
});
after(() => {
  closeFd(fd);
  removeTree(root);
});

test('files are made, linked and removed below a directory, by names of any bytes', () => {
  const name = Buffer.from([0xff, 0xfe, 0x20]);
  const file = openAt(fd, name, O_RDWR | O_CREAT | O_EXCL, 0o600);
  writeAll(file, Buffer.from('x'));
  closeFd(file);
  assert.throws(() => openAt(fd, name, O_CREAT | O_EXCL), { code: 'EEXIST', syscall: 'openat' });
  linkAt(fd, name, fd, 'hard');
  symlinkAt(Buffer.from([0xfd]), fd, 'soft');
  assert.equal(lstatAt(fd, 'hard').nlink, 2);
  assert.deepEqual(readlinkAt(fd, 'soft'), Buffer.from([0xfd]));
  linkAt(fd, 'soft', fd, 'soft-too');
  assert.ok(lstatSync(`${root}/soft-too`).isSymbolicLink());
  for (const gone of [name, 'hard', 'soft', 'soft-too']) unlinkAt(fd, gone);
  mkdirAt(fd, 'd', 0o700);
  assert.throws(() => unlinkAt(fd, 'd'), { code: 'EISDIR' });
  rmdirAt(fd, 'd');
  assert.deepEqual(readdirSync(root), []);
});

test('an error names the call, the path and the reason in one line', () => {
  assert.throws(() => openAt(fd, 'no\nsuch', O_RDONLY), {
    name: 'SyscallError',
    message: 'openat no\\x0asuch: no such file or directory',
    code: 'ENOENT',
    errno: 2,
  });
  assert.throws(() => linkAt(fd, 'a', fd, 'b'), { message: 'linkat a -> b: no such file or directory' });
  assert.throws(() => openAt(fd, 'a\0b', O_RDONLY), TypeError);
});

test('device nodes keep large numbers', () => {
  for (const [name, type, major, minor] of [
    ['char', S_IFCHR, 1, 3],
    ['block', S_IFBLK, 4095, 1_048_575],
    ['minor', S_IFCHR, 240, 300],
    ['whiteout', S_IFCHR, 0, 0],
    ['pipe', S_IFIFO, 0, 0],
  ] as const) {
    mknodAt(fd, name, type | 0o644, major, minor);
    const stat = lstatAt(fd, name);
    assert.deepEqual([stat.mode & S_IFMT, stat.rdevMajor, stat.rdevMinor], [type, major, minor], name);
    unlinkAt(fd, name);
  }
  assert.equal(makeDev(0x12345, 0xabcde), 0x0001_2000_abc3_45den);
});

test('owners and modes: of a link itself, with setuid after chown', () => {
  writeFileSync(`${root}/f`, '');
  symlinkSync('f', `${root}/l`);
  lchownAt(fd, 'l', 11, 4_000_000_000);
  assert.deepEqual(
    [lstat(`${root}/l`).uid, lstat(`${root}/l`).gid, lstat(`${root}/f`).uid],
    [11, 4_000_000_000, 0],
  );
  chmodAt(fd, 'f', 0o4751);
  assert.equal(lstatAt(fd, 'f').mode & 0o7777, 0o4751);
  const file = openAt(fd, 'f', O_RDWR);
  fchown(file, 5, 6);
  assert.equal(fstat(file).mode & 0o7777, 0o751);
  fchmod(file, 0o6700);
  assert.deepEqual([fstat(file).mode & 0o7777, fstat(file).uid, fstat(file).gid], [0o6700, 5, 6]);
  closeFd(file);
});

test('times to the nanosecond, before 1970 and far ahead; of a link itself', () => {
  writeFileSync(`${root}/t`, '');
  symlinkSync('t', `${root}/tl`);
  const early = { sec: -3, nsec: 999_999_999 };
  const late = { sec: 8_000_000_000, nsec: 1 };
  utimensAt(fd, 't', early, late);
  assert.deepEqual([lstatAt(fd, 't').atime, lstatAt(fd, 't').mtime], [early, late]);
  utimensAt(fd, 'tl', late, early);
  assert.deepEqual(lstatAt(fd, 'tl').mtime, early);
  assert.deepEqual(lstatAt(fd, 't').mtime, late);
  const file = openAt(fd, 't', O_RDWR);
  futimens(file, 'omit', early);
  assert.deepEqual([fstat(file).atime, fstat(file).mtime], [early, early]);
  futimens(file, 'now', 'omit');
  assert.ok(Math.abs(fstat(file).atime.sec - Date.now() / 1000) < 5);
  assert.deepEqual(fstat(file).mtime, early);
  closeFd(file);
});

test('openat2 keeps a walk inside a root', () => {
  mkdirSync(`${root}/in/side`, { recursive: true });
  writeFileSync(`${root}/in/secret`, 'in');
  writeFileSync(`${root}/secret`, 'out');
  symlinkSync('/secret', `${root}/in/absolute`);
  symlinkSync('../../../../secret', `${root}/in/side/up`);
  symlinkSync('loop', `${root}/in/loop`);
  const inside = openAt(fd, 'in', O_PATH | O_DIRECTORY);
  for (const path of ['absolute', 'side/up', '../../secret', '/secret']) {
    const found = openAt2(inside, path, O_RDONLY, RESOLVE_IN_ROOT);
    assert.equal(readFileSync(found, 'utf8'), 'in', path);
    closeFd(found);
  }
  assert.throws(() => openAt2(inside, 'absolute', O_RDONLY, RESOLVE_BENEATH), {
    code: 'EXDEV',
    syscall: 'openat2',
  });
  assert.throws(() => openAt2(inside, 'absolute', O_RDONLY, RESOLVE_NO_SYMLINKS), { code: 'ELOOP' });
  assert.throws(() => openAt2(inside, 'loop', O_RDONLY, RESOLVE_IN_ROOT), { code: 'ELOOP' });
  assert.throws(() => openAt2(inside, 'absolute', O_RDONLY | O_NOFOLLOW, RESOLVE_IN_ROOT), { code: 'ELOOP' });
  const made = openAt2(inside, 'new', O_RDWR | O_CREAT | O_EXCL, RESOLVE_IN_ROOT, 0o640);
  assert.equal(fstat(made).mode & 0o777, 0o640 & ~process.umask());
  closeFd(made);
  closeFd(inside);
});

test('renameat2 exchanges, refuses to replace, and leaves a whiteout', () => {
  writeFileSync(`${root}/one`, '1');
  writeFileSync(`${root}/two`, '2');
  renameAt2(fd, 'one', fd, 'two', RENAME_EXCHANGE);
  assert.equal(readFileSync(`${root}/one`, 'utf8'), '2');
  assert.throws(() => renameAt2(fd, 'one', fd, 'two', RENAME_NOREPLACE), {
    code: 'EEXIST',
    message: 'renameat2 one -> two: file exists',
  });
  renameAt2(fd, 'one', fd, 'three', RENAME_WHITEOUT);
  const left = lstatAt(fd, 'one');
  assert.deepEqual([left.mode & S_IFMT, left.rdevMajor, left.rdevMinor], [S_IFCHR, 0, 0]);
  renameAt2(fd, 'three', fd, 'two');
  assert.equal(readFileSync(`${root}/two`, 'utf8'), '2');
});

test('descriptors are closed on exec', () => {
  const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  assert.match(info, /flags:\s+0?2[0-7]{6}/);
  assert.equal(readlinkSync(`/proc/self/fd/${fd}`), root);
});
