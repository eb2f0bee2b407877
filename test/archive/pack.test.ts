/** Trees become layers: everything kept, always the same bytes, and nothing but the tree. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { type PackTreeOptions, packPaths, packTree } from '../../src/archive/pack.ts';
import { unpackLayer } from '../../src/archive/unpack.ts';
import { comparePaths, walkTree } from '../../src/archive/walk.ts';
import { TsengineError } from '../../src/errors.ts';
import { lchownAt, mkdirAt, mknodAt, utimensAt } from '../../src/linux/at.ts';
import { armFaults, callCounts } from '../../src/linux/fault.ts';
import { chdir } from '../../src/linux/namespaces.ts';
import { AT_FDCWD, lstat, S_IFBLK, S_IFCHR, S_IFIFO } from '../../src/linux/stat.ts';
import { lsetxattr } from '../../src/linux/xattr.ts';
import { describeTree } from '../helpers/trees.ts';
import { gather, parseTar, run, tempDir } from './tar-tools.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

/** A tree with a file of every kind. */
function fill(path: string): void {
  const at = (name: string) => latin1(`${path}/${name}`);
  mkdirSync(`${path}/d/sub`, { recursive: true });
  mkdirSync(`${path}/d-after`);
  writeFileSync(`${path}/d/one`, 'one', { mode: 0o640 });
  writeFileSync(`${path}/d/sub/two`, Buffer.alloc(700_000, 'two'));
  execFileSync('ln', [`${path}/d/one`, `${path}/a-link-first`]);
  execFileSync('chmod', ['6755', `${path}/d/one`]);
  writeFileSync(at('not-utf8-\xff'), 'n');
  symlinkSync(latin1('to/\xfe'), at('sym\xfd'));
  mknodAt(AT_FDCWD, at('pipe'), S_IFIFO | 0o600);
  mknodAt(AT_FDCWD, at('null'), S_IFCHR | 0o666, 1, 3);
  mknodAt(AT_FDCWD, at('block'), S_IFBLK | 0o600, 259, 70_000);
  lsetxattr(`${path}/d/sub`, 'user.dir', latin1('\0\xff\n='));
  lsetxattr(`${path}/d/sub/two`, 'trusted.t', latin1(''));
  lsetxattr(
    `${path}/d/sub/two`,
    'security.capability',
    Buffer.from('0100000200200000000000000000000000000000', 'hex'),
  );
  lsetxattr(`${path}/null`, 'trusted.device', latin1('x'));
  lchownAt(AT_FDCWD, `${path}/d/sub`, 12345, 4_000_000);
  utimensAt(AT_FDCWD, at('sym\xfd'), 'omit', { sec: 1_600_000_000, nsec: 987_654_321 });
  utimensAt(AT_FDCWD, `${path}/pipe`, 'omit', { sec: -1, nsec: 5 });
  execFileSync('sh', ['-c', 'truncate -s 5M sparse && echo x >> sparse && truncate -s 9M sparse'], {
    cwd: path,
  });
  mkdirSync(`${path}/${'long/'.repeat(60)}`, { recursive: true });
  writeFileSync(`${path}/${'long/'.repeat(60)}${'n'.repeat(200)}`, 'deep');
}

const pack = (root: string, options: PackTreeOptions = {}) => gather(packTree(root, options));
const all = { directoryTimes: true, holes: true };

test('what is packed unpacks to the same tree, by us and by GNU tar', async () => {
  using source = tempDir();
  fill(source.path);
  const tar = await pack(source.path, { sparseFrom: 2 ** 20 });
  using ours = tempDir();
  await unpackLayer(parts(tar), ours.path, { whiteouts: 'delete' });
  assert.deepEqual(describeTree(ours.path, all), describeTree(source.path, all));
  using gnu = tempDir();
  run('tar', ['-x', '-p', '--xattrs', '--xattrs-include=*', '-C', gnu.path], { input: tar });
  assert.deepEqual(describeTree(gnu.path, all), describeTree(source.path, all));
});

async function* parts(tar: Buffer): AsyncGenerator<Buffer> {
  yield tar;
}

test('the same tree gives the same bytes, in order, parents first', async () => {
  using source = tempDir();
  fill(source.path);
  const tar = await pack(source.path);
  assert.ok((await pack(source.path)).equals(tar));
  const names = parseTar(tar).members.map(({ entry }) => entry.name);
  assert.deepEqual([...names].sort(comparePaths), names);
  const text = names.map((name) => name.toString('latin1'));
  assert.ok(text.indexOf('d/sub/two') < text.indexOf('d-after'));
  assert.equal(new Set(text).size, text.length);
  for (const { entry } of parseTar(tar).members) {
    assert.deepEqual(
      [entry.uname.length, entry.gname.length, entry.atime, entry.ctime],
      [0, 0, undefined, undefined],
    );
  }
});

test('names of one file are hard links to the first', async () => {
  using source = tempDir();
  fill(source.path);
  const { members } = parseTar(await pack(source.path));
  const of = (name: string) => members.find(({ entry }) => entry.name.toString() === name)?.entry;
  assert.equal(of('a-link-first')?.type, 'file');
  assert.deepEqual([of('d/one')?.type, of('d/one')?.linkName.toString()], ['hardlink', 'a-link-first']);
});

test('the root itself comes only when it is asked for', async () => {
  using source = tempDir();
  execFileSync('chmod', ['1711', source.path]);
  lsetxattr(source.path, 'user.root', latin1('r'));
  assert.deepEqual(parseTar(await pack(source.path)).members, []);
  const [root, ...others] = parseTar(await pack(source.path, { includeRoot: true })).members;
  assert.deepEqual(others, []);
  assert.equal(root?.entry.rawName?.toString() ?? root?.entry.name.toString(), './');
  assert.equal(root?.entry.mode, 0o1711);
  assert.deepEqual(root?.entry.xattrs.get('user.root'), latin1('r'));
});

test("labels of the host and overlayfs's notes stay where they are", async () => {
  using source = tempDir();
  writeFileSync(`${source.path}/f`, '');
  for (const name of [
    'trusted.overlay.origin',
    'user.overlay.impure',
    'security.selinux',
    'user.kept',
    'trusted.kept',
  ]) {
    lsetxattr(`${source.path}/f`, name, latin1('v'));
  }
  const [only] = parseTar(await pack(source.path)).members;
  assert.deepEqual([...(only?.entry.xattrs.keys() ?? [])].sort(), ['trusted.kept', 'user.kept']);
});

test('large holes become a sparse member, small ones are written out', async () => {
  using source = tempDir();
  execFileSync(
    'sh',
    [
      '-c',
      'truncate -s 900K small && echo x >> small; truncate -s 2G large && echo x >> large; truncate -s 1G empty',
    ],
    { cwd: source.path },
  );
  const tar = await pack(source.path);
  assert.ok(tar.length < 2_000_000, String(tar.length));
  const { members } = parseTar(tar);
  const sparse = members.map(({ entry }) => [entry.name.toString(), entry.size, entry.sparse !== undefined]);
  assert.deepEqual(sparse, [
    ['empty', 2 ** 30, true],
    ['large', 2 ** 31 + 2, true],
    ['small', 900 * 1024 + 2, false],
  ]);
  using target = tempDir();
  run('tar', ['-x', '-C', target.path], { input: tar });
  assert.equal(lstat(`${target.path}/large`).size, 2 ** 31 + 2);
  assert.ok(lstat(`${target.path}/large`).blocks < 100);
  const every = await pack(source.path, { sparseFrom: 4096 });
  assert.ok(parseTar(every).members.every(({ entry }) => entry.sparse !== undefined));
});

test('a file that shrinks is filled with zeros, one that grows is cut', async () => {
  for (const change of ['shrink', 'grow'] as const) {
    using source = tempDir();
    const path = `${source.path}/f`;
    writeFileSync(path, Buffer.alloc(3_000_000, 'f'));
    writeFileSync(`${source.path}/g`, 'next');
    const chunks: Buffer[] = [];
    for await (const chunk of packTree(source.path)) {
      if (chunks.length === 0) {
        if (change === 'shrink') truncateSync(path, 1_500_000);
        else appendFileSync(path, Buffer.alloc(3_000_000, 'z'));
      }
      chunks.push(chunk);
    }
    const { members } = parseTar(Buffer.concat(chunks));
    assert.deepEqual(
      members.map(({ entry }) => entry.name.toString()),
      ['f', 'g'],
    );
    const data = members[0]?.data ?? Buffer.alloc(0);
    assert.equal(data.length, 3_000_000);
    assert.equal(data[1_499_999], 0x66);
    assert.equal(data[2_999_999], change === 'shrink' ? 0 : 0x66);
    assert.equal(members[1]?.data.toString(), 'next');
  }
});

test('what goes away or becomes a link meanwhile is left out, and no link is followed', async () => {
  using source = tempDir();
  using outside = tempDir();
  writeFileSync(`${outside.path}/secret`, 'secret');
  for (const name of ['b', 'c', 'd']) mkdirSync(`${source.path}/${name}`);
  writeFileSync(`${source.path}/a`, Buffer.alloc(600_000, 'a'));
  for (const name of ['b/secret', 'c/secret', 'd/x', 'e', 'f'])
    writeFileSync(`${source.path}/${name}`, 'own');
  const chunks: Buffer[] = [];
  for await (const chunk of packTree(source.path)) {
    if (chunks.length === 0) {
      rmSync(`${source.path}/b`, { recursive: true });
      symlinkSync(outside.path, `${source.path}/b`);
      rmSync(`${source.path}/d`, { recursive: true });
      rmSync(`${source.path}/e`);
      renameSync(`${source.path}/f`, `${source.path}/ff`);
      symlinkSync(`${outside.path}/secret`, `${source.path}/e`);
    }
    chunks.push(chunk);
  }
  const { members } = parseTar(Buffer.concat(chunks));
  assert.deepEqual(
    members.map(({ entry }) => `${entry.name.toString()} ${entry.type}`),
    ['a file', 'b symlink', 'c directory', 'c/secret file', 'e symlink'],
  );
  assert.ok(!Buffer.concat(chunks).includes('secret\0\0\0secret'));
  assert.ok(members.every(({ data }) => !data.includes('secret')));
});

test('a walk that a directory is swapped under stays inside', () => {
  using source = tempDir();
  using outside = tempDir();
  mkdirSync(`${outside.path}/sub/deep`, { recursive: true });
  writeFileSync(`${outside.path}/sub/deep/secret`, '');
  const down = `${source.path}/${Array(40).fill('d').join('/')}`;
  mkdirSync(down, { recursive: true });
  for (let at = source.path, i = 0; i < 40; i++, at += '/d') writeFileSync(`${at}/e${i}`, '');
  const seen: string[] = [];
  for (const { path } of walkTree(source.path)) {
    seen.push(path.toString());
    if (path.toString() === Array(40).fill('d').join('/')) {
      // At the deepest: the directories above are no longer open, and one of them is swapped.
      renameSync(`${source.path}/d`, `${outside.path}/moved`);
      symlinkSync(outside.path, `${source.path}/d`);
    }
  }
  assert.ok(seen.includes('e0'));
  assert.ok(seen.every((path) => !path.includes('secret') && !path.includes('sub')));
});

test('sockets and names that mean whiteouts are left out, with a line on each', async () => {
  using source = tempDir();
  const server = createServer().listen(`${source.path}/socket`);
  await new Promise((resolve) => server.once('listening', resolve));
  mkdirSync(`${source.path}/.wh.d`);
  writeFileSync(`${source.path}/.wh.d/x`, '');
  writeFileSync(`${source.path}/.wh..wh..opq`, '');
  writeFileSync(`${source.path}/kept`, '');
  const warnings: string[] = [];
  const { members } = parseTar(await pack(source.path, { warn: (line) => warnings.push(line) }));
  server.close();
  assert.deepEqual(
    members.map(({ entry }) => entry.name.toString()),
    ['kept'],
  );
  assert.deepEqual(warnings, [
    '".wh..wh..opq" is not part of the layer: its name means a whiteout there',
    '".wh.d" is not part of the layer: its name means a whiteout there',
    '"socket" is not part of the layer: sockets have no place there',
  ]);
});

test('a path that is too long is an error that names it', async () => {
  using source = tempDir();
  const before = process.cwd();
  chdir(source.path);
  try {
    for (let i = 0; i < 20; i++) {
      mkdirAt(AT_FDCWD, 'p'.repeat(250), 0o755);
      chdir('p'.repeat(250));
    }
  } finally {
    chdir(before);
  }
  await assert.rejects(pack(source.path), (error) => {
    assert.ok(error instanceof TsengineError);
    assert.match(
      error.message,
      /^"p+\.\.\.p+" cannot be part of a layer: its path is longer than 4095 bytes$/,
    );
    return true;
  });
  execFileSync('rm', ['-r', source.path]);
});

test('a file that cannot be read is one line, and what was opened is closed', async (t) => {
  using source = tempDir();
  fill(source.path);
  const { readdirSync } = await import('node:fs');
  const open = () => readdirSync('/proc/self/fd').length;
  t.after(() => armFaults([]));
  const before = open();
  for (const call of [
    'openat',
    'statx',
    'read',
    'flistxattr',
    'llistxattr',
    'fgetxattr',
    'readlinkat',
    'readdir',
  ]) {
    for (const nth of [1, 2, 5]) {
      armFaults([{ call, nth, action: 'EIO' }]);
      const error: unknown = await pack(source.path).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      const reached = (callCounts().get(call) ?? 0) >= nth;
      assert.ok(reached || nth > 1, `${call} is never made`);
      assert.equal(error !== undefined, reached, `${call} ${nth}`);
      if (error !== undefined)
        assert.match(
          String(error),
          /^(TsengineError: cannot pack "[^"]+"|SyscallError: )[^\n]*input\/output error/,
        );
      armFaults([]);
      assert.equal(open(), before, call);
    }
  }
  const stream = packTree(source.path);
  await stream.next();
  await stream.return(undefined);
  assert.equal(open(), before);
});

test('chosen paths: what changed, what is gone, and not what is in it', async () => {
  using source = tempDir();
  fill(source.path);
  const change = (kind: 'modified' | 'added' | 'deleted', path: string) => ({ kind, path: latin1(path) });
  const tar = await gather(
    packPaths(source.path, [
      change('added', '/d/sub/two'),
      change('modified', '/d'),
      change('deleted', '/gone'),
      change('deleted', '/d/x\xff'),
      change('modified', '/not-utf8-\xff'),
      change('added', '/d-after/absent'),
      change('added', '/absent/x'),
      change('added', '/d/one'),
      change('added', '/a-link-first'),
      change('modified', '/'),
    ]),
  );
  const { members } = parseTar(tar);
  assert.deepEqual(
    members.map(({ entry }) => [entry.name.toString('latin1'), entry.type, entry.size]),
    [
      ['a-link-first', 'file', 3],
      ['d', 'directory', 0],
      ['d/one', 'hardlink', 0],
      ['d/sub/two', 'file', 700_000],
      ['d/.wh.x\xff', 'file', 0],
      ['.wh.gone', 'file', 0],
      ['not-utf8-\xff', 'file', 1],
    ],
  );
});

test('an empty tree is an empty archive', async () => {
  using source = tempDir();
  assert.deepEqual(await pack(source.path), Buffer.alloc(1024));
  await assert.rejects(pack(`${source.path}/absent`), /no such file or directory/);
});

test('chunks that were given out are not touched again', async () => {
  using source = tempDir();
  fill(source.path);
  const chunks: Buffer[] = [];
  const copies: Buffer[] = [];
  for await (const chunk of packTree(source.path)) {
    chunks.push(chunk);
    copies.push(Buffer.from(chunk));
  }
  assert.ok(Buffer.concat(chunks).equals(Buffer.concat(copies)));
  assert.ok(readFileSync(`${source.path}/d/one`).length > 0);
});
