/** Layers become files, with everything they say of them, in the order and in the way that Docker's do. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { SparseRun } from '../../src/archive/types.ts';
import { unpackLayer } from '../../src/archive/unpack.ts';
import { chmodAt, mkdirAt, O_RDONLY, openAt } from '../../src/linux/at.ts';
import { seekData, seekHole } from '../../src/linux/space.ts';
import { AT_FDCWD, lstat } from '../../src/linux/stat.ts';
import { lgetxattr, lsetxattr } from '../../src/linux/xattr.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { describeTree } from '../helpers/trees.ts';
import {
  chunked,
  dir,
  FILLER,
  FILLER_BYTES,
  file,
  hardlink,
  layer,
  type MemberSpec,
  makeTarget,
  symlink,
} from './layer-tools.ts';
import { run, tempDir } from './tar-tools.ts';

// VFS_CAP_REVISION_2 with CAP_NET_RAW, permitted and effective (linux/capability.h).
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');

/** A layer with a file of every kind. */
const everything: readonly MemberSpec[] = [
  dir('.', 0o751),
  dir('d', 0o2770),
  {
    name: 'd/file',
    data: 'hello',
    mode: 0o640,
    uid: 1000,
    gid: 1001,
    mtime: { sec: 1_700_000_000, nsec: 123_456_789 },
  },
  { name: 'd/setuid', data: 'x', mode: 0o6755, uid: 1000, gid: 1000 },
  { name: 'd/cap', data: 'x', mode: 0o755, uid: 5, xattrs: new Map([['security.capability', CAPABILITY]]) },
  {
    name: 'd/xattr',
    data: '',
    xattrs: new Map([
      ['user.a', Buffer.from([0, 255, 10])],
      ['trusted.b', Buffer.alloc(0)],
    ]),
  },
  { ...symlink('l', 'd/no\xffwhere'), uid: 7, gid: 8, mtime: { sec: 5, nsec: 6 } },
  {
    ...hardlink('d/again', 'd/file'),
    mode: 0o640,
    uid: 1000,
    gid: 1001,
    mtime: { sec: 1_700_000_000, nsec: 123_456_789 },
  },
  { name: 'pipe', type: 'fifo', mode: 0o622, uid: 3 },
  { name: 'null', type: 'char', mode: 0o666, devMajor: 1, devMinor: 3 },
  { name: 'loop', type: 'block', mode: 0o660, devMajor: 7, devMinor: 300 },
  { name: 'old', data: 'o', mtime: { sec: -5, nsec: 500_000_000 } },
  { name: 'not-utf8-\xff\xfe', data: 'n' },
  { name: 'empty', data: '', mode: 0 },
];

function check(path: string): void {
  const of = (name: string) => lstat(Buffer.from(`${path}/${name}`, 'latin1'));
  assert.equal(of('.').mode & 0o7777, 0o751);
  assert.equal(of('d').mode & 0o7777, 0o2770);
  const plain = of('d/file');
  assert.deepEqual([plain.mode & 0o7777, plain.uid, plain.gid, plain.nlink], [0o640, 1000, 1001, 2]);
  assert.deepEqual(plain.mtime, { sec: 1_700_000_000, nsec: 123_456_789 });
  assert.equal(of('d/again').ino, plain.ino);
  assert.deepEqual([of('d/setuid').mode & 0o7777, of('d/setuid').uid], [0o6755, 1000]);
  assert.deepEqual(lgetxattr(`${path}/d/cap`, 'security.capability'), CAPABILITY);
  assert.equal(of('d/cap').uid, 5);
  assert.deepEqual(lgetxattr(`${path}/d/xattr`, 'user.a'), Buffer.from([0, 255, 10]));
  assert.deepEqual(lgetxattr(`${path}/d/xattr`, 'trusted.b'), Buffer.alloc(0));
  const link = of('l');
  assert.deepEqual([link.uid, link.gid, link.mtime], [7, 8, { sec: 5, nsec: 6 }]);
  assert.deepEqual([of('pipe').mode, of('pipe').uid], [0o010622, 3]);
  assert.deepEqual([of('null').mode, of('null').rdevMajor, of('null').rdevMinor], [0o020666, 1, 3]);
  assert.deepEqual([of('loop').mode, of('loop').rdevMajor, of('loop').rdevMinor], [0o060660, 7, 300]);
  assert.deepEqual(of('old').mtime, { sec: -5, nsec: 500_000_000 });
  assert.equal(of('not-utf8-\xff\xfe').size, 1);
  assert.equal(of('empty').mode & 0o7777, 0);
}

test('everything a layer can hold, here', async () => {
  using target = makeTarget();
  const result = await target.unpack(layer(...everything));
  assert.deepEqual(result, { size: 9, linkBytes: 10, entries: everything.length, warnings: [] });
  check(target.path);
});

test('everything a layer can hold, through the worker, whatever the umask', async () => {
  using target = makeTarget();
  const before = process.umask(0o077);
  try {
    await target.unpack(layer(FILLER, ...everything));
  } finally {
    process.umask(before);
  }
  check(target.path);
  assert.equal(statSync(`${target.path}/filler`).size, FILLER_BYTES);
});

for (const type of ['ext4', 'xfs', 'btrfs', 'tmpfs'] as const) {
  test(`everything a layer can hold, on ${type}`, async () => {
    using filesystem = makeFilesystem(type);
    using target = makeTarget(filesystem.path);
    // tmpfs has user attributes since Linux 6.6 only.
    const { warnings } = await target.unpack(layer(...everything));
    if (warnings.length === 0) check(target.path);
    else assert.match(warnings.join(), /^ignored extended attribute user\.a of "d\/xattr"/);
  });
}

test('the result is what GNU tar makes of the same archive', async () => {
  using source = tempDir();
  run(
    'sh',
    [
      '-c',
      'mkdir -p a/b c; echo one > a/b/1; ln a/b/1 c/2; ln -s ../a c/l; mkfifo p; truncate -s 3M sparse; echo end >> sparse; chmod 1777 c; touch -d 2001-02-03T04:05:06.789012345Z a a/b',
    ],
    { cwd: source.path },
  );
  for (const form of ['gnu', 'pax', 'ustar']) {
    const sparse = form === 'ustar' ? [] : ['-S'];
    const tar = run('tar', ['--format', form, ...sparse, '-c', '.'], { cwd: source.path });
    using reference = tempDir();
    using target = makeTarget();
    await target.unpack(tar);
    run('tar', ['-x', '-C', reference.path], { input: tar });
    const options = { directoryTimes: true, holes: form !== 'ustar' };
    assert.deepEqual(describeTree(target.path, options), describeTree(reference.path, options));
  }
});

test('times of directories are set when all is in them, and the last member of a name counts', async () => {
  using target = makeTarget();
  const at = (sec: number) => ({ sec, nsec: 1 });
  await target.unpack(
    layer(
      { ...dir('a'), mtime: at(100) },
      { ...dir('a/b'), mtime: at(200) },
      file('a/b/x'),
      { ...dir('gone'), mtime: at(400) },
      { ...file('gone'), mtime: at(500) },
      { ...dir('a'), mtime: at(300) },
      { ...dir('./'), mtime: at(600) },
    ),
  );
  assert.deepEqual(lstat(`${target.path}/a`).mtime, at(300));
  assert.deepEqual(lstat(`${target.path}/a/b`).mtime, at(200));
  assert.deepEqual(lstat(`${target.path}/gone`).mtime, at(500));
  assert.deepEqual(lstat(target.path).mtime, at(600));
});

test('an access time before the last change is that of the change, as in Docker', async () => {
  using target = makeTarget();
  const mtime = { sec: 1000, nsec: 5 };
  await target.unpack(
    layer(
      { ...file('none'), mtime },
      { ...file('before'), mtime, atime: { sec: 999, nsec: 9 } },
      { ...file('after'), mtime, atime: { sec: 1000, nsec: 6 } },
    ),
  );
  const atime = (name: string) => lstat(`${target.path}/${name}`).atime;
  assert.deepEqual([atime('none'), atime('before'), atime('after')], [mtime, mtime, { sec: 1000, nsec: 6 }]);
});

test("missing parents are made as root's, mode 755", async () => {
  using target = makeTarget();
  const before = process.umask(0o077);
  try {
    await target.unpack(layer({ ...dir('setgid', 0o2777), gid: 50 }, file('setgid/a/b/c'), file('x/y')));
  } finally {
    process.umask(before);
  }
  for (const name of ['setgid/a', 'setgid/a/b', 'x']) {
    const { mode, uid, gid } = lstat(`${target.path}/${name}`);
    assert.deepEqual([mode & 0o7777, uid, gid], [0o755, 0, 0], name);
  }
  assert.deepEqual([lstat(`${target.path}/setgid/a/b/c`).gid], [0]);
});

test('the second member of a name wins, whatever both are', async () => {
  const kinds: readonly MemberSpec[] = [
    file('n', 'file'),
    symlink('n', 'target'),
    { name: 'n', type: 'fifo' },
    { name: 'n', type: 'char', devMajor: 1, devMinor: 3 },
    hardlink('n', 'other'),
    dir('n'),
  ];
  for (const whiteouts of ['overlay', 'delete'] as const) {
    for (const first of kinds) {
      for (const second of kinds) {
        using target = makeTarget();
        const inner = first.type === 'directory' ? [file('n/inner')] : [];
        await target.unpack(layer(file('other'), first, ...inner, second), { whiteouts });
        using alone = makeTarget();
        const kept = first.type === 'directory' && second.type === 'directory' ? inner : [];
        await alone.unpack(layer(file('other'), second, ...kept), { whiteouts });
        assert.deepEqual(describeTree(target.path), describeTree(alone.path), `${first.type} ${second.type}`);
      }
    }
  }
});

test("a member replaces a lower layer's file and does not write into it", async () => {
  using target = makeTarget();
  writeFileSync(`${target.path}/a`, 'shared');
  run('ln', [`${target.path}/a`, `${target.outside}/../hard`]);
  await target.unpack(layer(file('a', 'new')), { whiteouts: 'delete' });
  assert.equal(readFileSync(`${target.outside}/../hard`, 'utf8'), 'shared');
});

test('sparse files keep their holes', async () => {
  const sparse: SparseRun[] = [
    { offset: 65_536, length: 512 },
    { offset: 1024 * 1024, length: 1024 },
  ];
  using target = makeTarget();
  const size = 64 * 1024 * 1024;
  await target.unpack(
    layer({ name: 's', size, sparse, data: Buffer.concat([Buffer.alloc(512, 1), Buffer.alloc(1024, 2)]) }),
  );
  const { size: actual, blocks } = lstat(`${target.path}/s`);
  assert.equal(actual, size);
  assert.ok(blocks < 64, `${blocks} blocks`);
  const content = readFileSync(`${target.path}/s`);
  assert.ok(content.subarray(65_536, 65_536 + 512).every((byte) => byte === 1));
  assert.ok(content.subarray(1024 * 1024, 1024 * 1024 + 1024).every((byte) => byte === 2));
  const fd = openAt(AT_FDCWD, `${target.path}/s`, O_RDONLY);
  assert.equal(seekData(fd, 0), 65_536);
  assert.ok((seekHole(fd, 65_536) ?? 0) < 1024 * 1024);
});

test("an ACL for new files is not inherited by the layer's own", async () => {
  using source = tempDir();
  try {
    run('setfacl', ['-m', 'd:u:1234:rwx,u:77:r', source.path]);
  } catch {
    // Version 2 of posix_acl_xattr: user::rwx user:1234:rwx group::r-x mask::rwx other::r-x.
    const entry = (tag: number, perm: number, id: number) => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt16LE(tag, 0);
      bytes.writeUInt16LE(perm, 2);
      bytes.writeUInt32LE(id >>> 0, 4);
      return bytes;
    };
    const none = 0xffff_ffff;
    const acl = Buffer.concat([
      Buffer.from('02000000', 'hex'),
      entry(1, 7, none),
      entry(2, 7, 1234),
      entry(4, 5, none),
      entry(16, 7, none),
      entry(32, 5, none),
    ]);
    lsetxattr(source.path, 'system.posix_acl_default', acl);
    lsetxattr(source.path, 'system.posix_acl_access', acl);
  }
  const xattrs = new Map(
    ['system.posix_acl_default', 'system.posix_acl_access'].map((name) => [
      name,
      lgetxattr(source.path, name) ?? Buffer.alloc(0),
    ]),
  );
  using target = makeTarget();
  await target.unpack(
    layer({ ...dir('d', 0o775), xattrs }, { ...file('d/f'), mode: 0o600 }, dir('d/e', 0o700)),
  );
  for (const [name, value] of xattrs) assert.deepEqual(lgetxattr(`${target.path}/d`, name), value, name);
  for (const name of ['d/f', 'd/e']) {
    assert.equal(lgetxattr(`${target.path}/${name}`, 'system.posix_acl_access'), undefined);
    assert.equal(lgetxattr(`${target.path}/${name}`, 'system.posix_acl_default'), undefined);
  }
  assert.equal(lstat(`${target.path}/d/f`).mode & 0o777, 0o600);
});

test("overlayfs's own attributes in an archive are left out", async () => {
  const xattrs = new Map([
    ['trusted.overlay.opaque', Buffer.from('y')],
    ['trusted.overlay.redirect', Buffer.from('/etc')],
    ['user.overlay.metacopy', Buffer.alloc(0)],
    ['user.kept', Buffer.from('1')],
  ]);
  for (const whiteouts of ['overlay', 'delete'] as const) {
    using target = makeTarget();
    const { warnings } = await target.unpack(layer({ ...dir('d'), xattrs }, { ...file('f'), xattrs }), {
      whiteouts,
    });
    for (const name of ['d', 'f']) {
      for (const key of xattrs.keys()) {
        assert.equal(lgetxattr(`${target.path}/${name}`, key) !== undefined, key === 'user.kept', key);
      }
    }
    assert.deepEqual(warnings, []);
  }
});

test('attributes that a file cannot have are told of, once', async () => {
  using target = makeTarget();
  const xattrs = new Map([['user.x', Buffer.from('1')]]);
  const { warnings } = await target.unpack(
    layer({ ...symlink('l', 't'), xattrs }, { name: 'p', type: 'fifo', xattrs }),
  );
  assert.deepEqual(warnings, [
    'ignored extended attribute user.x of "l": operation not permitted (and 1 more like it)',
  ]);
});

test('a directory that a lower layer has takes the attributes of the member, and no others', async () => {
  using target = makeTarget();
  mkdirAt(AT_FDCWD, `${target.path}/d`, 0o700);
  chmodAt(AT_FDCWD, `${target.path}/d`, 0o700);
  writeFileSync(`${target.path}/d/lower`, '');
  lsetxattr(`${target.path}/d`, 'user.old', Buffer.from('1'));
  lsetxattr(`${target.path}/d`, 'user.both', Buffer.from('1'));
  const xattrs = new Map([['user.both', Buffer.from('2')]]);
  await target.unpack(layer({ ...dir('d', 0o711), uid: 9, xattrs }), { whiteouts: 'delete' });
  const { mode, uid } = lstat(`${target.path}/d`);
  assert.deepEqual([mode & 0o7777, uid], [0o711, 9]);
  assert.equal(lgetxattr(`${target.path}/d`, 'user.old'), undefined);
  assert.deepEqual(lgetxattr(`${target.path}/d`, 'user.both'), Buffer.from('2'));
  assert.deepEqual(readdirSync(`${target.path}/d`), ['lower']);
});

test('the tar-split is written beside, and gone after an error', async () => {
  for (const filler of [[], [FILLER]]) {
    using target = makeTarget();
    using folder = tempDir();
    const tarSplit = `${folder.path}/split.gz`;
    const tar = layer(...filler, dir('d'), file('d/x', 'content'));
    await target.unpack(tar, { tarSplit });
    const lines = gunzipSync(readFileSync(tarSplit))
      .toString()
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    assert.ok(lines.length > 3);
    assert.match(JSON.stringify(lines), /"name":"d\/x","size":7/);
    using other = makeTarget();
    await assert.rejects(other.unpack(layer(...filler, file('../x')), { tarSplit }));
    assert.equal(existsSync(tarSplit), false);
    await assert.rejects(other.unpack(tar.subarray(0, tar.length - 2000), { tarSplit }), /unexpected EOF/);
    assert.equal(existsSync(tarSplit), false);
  }
});

test('files of AUFS for its own use are left out, but its hard links work', async () => {
  for (const whiteouts of ['overlay', 'delete'] as const) {
    using target = makeTarget();
    await target.unpack(
      layer(
        dir('.wh..wh.plnk', 0o700),
        { name: '.wh..wh.plnk/12.34', data: 'linked', mode: 0o644, uid: 4 },
        dir('.wh..wh.orph'),
        file('.wh..wh.aufs'),
        dir('d'),
        hardlink('d/a', '.wh..wh.plnk/12.34'),
        hardlink('d/b', '/.wh..wh.plnk/12.34'),
        file('d/.wh..wh.other'),
      ),
      { whiteouts },
    );
    assert.deepEqual(readdirSync(target.path), ['d']);
    assert.deepEqual(readdirSync(`${target.path}/d`).sort(), ['a', 'b']);
    const { nlink, uid } = lstatSync(`${target.path}/d/a`);
    assert.deepEqual([nlink, uid, readFileSync(`${target.path}/d/b`, 'utf8')], [2, 4, 'linked']);
    await assert.rejects(
      target.unpack(layer(hardlink('x', '.wh..wh.plnk/no')), { whiteouts }),
      /^TsengineError: invalid layer: "x": the target of its hard link, "\.wh\.\.wh\.plnk\/no", does not exist$/,
    );
  }
});

test('a target that is not there', async () => {
  using target = makeTarget();
  mkdirSync(`${target.path}/x`);
  using gone = makeTarget();
  gone[Symbol.dispose]();
  await assert.rejects(gone.unpack(layer(file('a'))), /no such file or directory/);
  await assert.rejects(gone.unpack(layer(FILLER, file('a'))), /no such file or directory/);
});

test('long zeros of a plain member become a hole, short ones are written', async () => {
  const zeros = (bytes: number) => '\0'.repeat(bytes);
  const data = `${'a'.repeat(5000)}${zeros(300_000)}b${zeros(20_000)}c${zeros(1_000_000)}`;
  const tar = layer({ ...file('file', data), mtime: { sec: 1234, nsec: 5 } });
  for (const size of [tar.length, 65_536, 10_001]) {
    using target = makeTarget();
    await unpackLayer(chunked(tar, size), target.path, { whiteouts: 'overlay' });
    const path = `${target.path}/file`;
    assert.equal(readFileSync(path, 'latin1'), data);
    const { blocks } = statSync(path);
    assert.ok(blocks * 512 <= 64 * 1024, `${blocks} blocks`);
    assert.equal(lstat(path).mtime.sec, 1234);
  }
});
