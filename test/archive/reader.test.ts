import assert from 'node:assert/strict';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TarEntry } from '../../src/archive/types.ts';
import { encodeHeader, endOfArchive, padding } from '../../src/archive/writer.ts';
import { cuts, entryOf, parseTar, patch, run, tempDir } from './tar-tools.ts';

const file = (name: string, content = '') =>
  Buffer.concat([
    encodeHeader(entryOf({ name: Buffer.from(name), size: content.length })),
    Buffer.from(content),
    padding(content.length),
  ]);

/** The one member of an archive made of these blocks. */
function only(...parts: Buffer[]): { entry: TarEntry; data: Buffer } {
  const archive = Buffer.concat([...parts, endOfArchive]);
  let last: { entry: TarEntry; data: Buffer } | undefined;
  for (const cut of cuts(archive.length)) {
    const { members, all } = parseTar(archive, cut);
    assert.equal(members.length, 1);
    assert.ok(all.equals(archive));
    if (last !== undefined) assert.deepEqual(members[0], last);
    last = members[0];
  }
  return last ?? assert.fail('no member');
}

function pax(records: Buffer | string, flag = 'x'): Buffer {
  const payload = Buffer.from(typeof records === 'string' ? records : records);
  const header = encodeHeader(entryOf({ name: Buffer.from('PaxHeaders.0/file'), size: payload.length }));
  return Buffer.concat([patch(header, [156, flag]), payload, padding(payload.length)]);
}

function record(key: string, value: Buffer | string): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function gnuLong(flag: string, text: Buffer): Buffer {
  const payload = Buffer.concat([text, Buffer.from([0])]);
  const header = encodeHeader(entryOf({ name: Buffer.from('././@LongLink'), size: payload.length }));
  return Buffer.concat([patch(header, [156, flag], [257, 'ustar  \0']), payload, padding(payload.length)]);
}

function base256(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let rest = BigInt.asUintN(length * 8, value);
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return bytes;
}

/** A tree with one of everything that the format can hold. */
function makeTree(root: string, format: string): void {
  mkdirSync(join(root, 'dir/sub'), { recursive: true });
  writeFileSync(join(root, 'dir/empty'), '');
  writeFileSync(join(root, 'dir/one'), 'x', { mode: 0o4755 });
  writeFileSync(join(root, 'dir/block'), Buffer.alloc(512, 'b'));
  writeFileSync(join(root, 'dir/big'), Buffer.alloc(70_001, 'tsengine '));
  linkSync(join(root, 'dir/one'), join(root, 'dir/zhard'));
  symlinkSync('../else\u00e9where', join(root, 'dir/link'));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/dir/latin-`), Buffer.from([0xe9, 0xff])]), 'not UTF-8');
  if (format === 'v7') return;
  run('mkfifo', [join(root, 'dir/fifo')]);
  if (process.getuid?.() === 0) run('mknod', [join(root, 'dir/char'), 'c', '10', '300']);
  const deep = join(root, 'd'.repeat(80), 'e'.repeat(60));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'f'.repeat(90)), 'split name');
  if (format === 'ustar') return;
  writeFileSync(join(deep, 'g'.repeat(255)), 'long name');
  symlinkSync('t'.repeat(3000), join(root, 'dir/longlink'));
}

function walk(root: string, at = ''): string[] {
  return readdirSync(Buffer.from(join(root, at), 'latin1'), { encoding: 'buffer' }).flatMap((name) => {
    const path = at === '' ? name.toString('latin1') : `${at}/${name.toString('latin1')}`;
    return lstatSync(Buffer.from(`${root}/${path}`, 'latin1')).isDirectory()
      ? [path, ...walk(root, path)]
      : [path];
  });
}

function checkMember(root: string, entry: TarEntry, data: Buffer, nanoseconds: boolean): void {
  const path = Buffer.concat([Buffer.from(`${root}/`), entry.name]);
  const stat = lstatSync(path, { bigint: true });
  const label = entry.name.toString('latin1');
  assert.equal(entry.uid, Number(stat.uid), label);
  assert.equal(entry.gid, Number(stat.gid), label);
  if (entry.type !== 'hardlink') assert.equal(entry.mode, Number(stat.mode) & 0o7777, label);
  const nsec = BigInt(entry.mtime.sec) * 1_000_000_000n + BigInt(entry.mtime.nsec);
  assert.equal(nsec, nanoseconds ? stat.mtimeNs : (stat.mtimeNs / 1_000_000_000n) * 1_000_000_000n, label);
  if (entry.type === 'file') assert.ok(readFileSync(path).equals(data), label);
  if (entry.type === 'symlink')
    assert.ok(readlinkSync(path, { encoding: 'buffer' }).equals(entry.linkName), label);
  if (entry.type === 'hardlink') {
    assert.equal(lstatSync(join(root, entry.linkName.toString()), { bigint: true }).ino, stat.ino);
  }
  if (entry.type === 'char') assert.deepEqual([entry.devMajor, entry.devMinor], [10, 300]);
  const type = {
    file: 'isFile',
    directory: 'isDirectory',
    symlink: 'isSymbolicLink',
    fifo: 'isFIFO',
  } as const;
  if (entry.type in type && entry.type !== 'hardlink' && entry.type !== 'char' && entry.type !== 'block') {
    assert.ok(stat[type[entry.type]](), label);
  }
}

describe('GNU tar archives', () => {
  for (const format of ['v7', 'oldgnu', 'gnu', 'ustar', 'pax']) {
    test(`--format=${format}`, () => {
      using temp = tempDir();
      makeTree(temp.path, format);
      const archive = run('tar', [`--format=${format}`, '-C', temp.path, '-cf', '-', '.']);
      for (const cut of cuts(archive.length)) {
        const { members, all, ended } = parseTar(archive, cut);
        assert.ok(ended);
        assert.ok(all.equals(archive));
        for (const { entry, data } of members) checkMember(temp.path, entry, data, format === 'pax');
        const names = members.map(({ entry }) => entry.name.toString('latin1').replace(/^\.\//, ''));
        assert.deepEqual(names.sort(), ['.', ...walk(temp.path)].sort());
      }
    });
  }

  test('xattrs of every kind, binary values, GNU escapes', (t) => {
    using temp = tempDir();
    const path = join(temp.path, 'f');
    writeFileSync(path, 'x');
    const set = `import os,sys
p=sys.argv[1]
os.setxattr(p, b'user.bin', bytes(range(256)))
os.setxattr(p, b'user.empty', b'')
os.setxattr(p, b'user.n\\xff\\xe9', b'v')
os.setxattr(p, b'user.a=b%c', b'1=2')
os.setxattr(p, b'security.capability', bytes.fromhex('0100000200200000000000000000000000000000'))`;
    try {
      run('python3', ['-c', set, path]);
    } catch {
      t.skip('cannot set xattrs here: needs root, python3 and a filesystem with xattrs');
      return;
    }
    const { entry } = only(
      run('tar', ['--format=pax', '--xattrs', '--xattrs-include=*', '-C', temp.path, '-cf', '-', 'f']),
    );
    const names = [...entry.xattrs.keys()].filter((name) => name !== 'security.selinux');
    assert.deepEqual(
      new Set(names),
      new Set(['user.bin', 'user.empty', 'user.n\xff\xe9', 'user.a=b%c', 'security.capability']),
    );
    assert.deepEqual(entry.xattrs.get('user.bin'), Buffer.from(new Uint8Array(256).map((_, i) => i)));
    assert.equal(entry.xattrs.get('user.empty')?.length, 0);
    assert.equal(entry.xattrs.get('user.a=b%c')?.toString(), '1=2');
    assert.equal(
      entry.xattrs.get('security.capability')?.toString('hex'),
      '0100000200200000000000000000000000000000',
    );
  });
});

describe('pax records', () => {
  test('every field, with bytes, fractions and negative times', () => {
    const path = Buffer.from([0x61, 0xff, 0x2f, 0x0a, 0x3d]);
    const { entry, data } = only(
      pax(
        Buffer.concat([
          record('path', path),
          record('size', '3'),
          record('uid', '4294967294'),
          record('gid', '3000000'),
          record('uname', 'm\u00fcller'),
          record('gname', Buffer.from([0xe9])),
          record('mtime', '-1.5'),
          record('atime', '12.0000000019'),
          record('ctime', '-0.25'),
          record('comment', 'ignored'),
          record('LIBARCHIVE.xattr.user.x', 'ignored'),
          record('SCHILY.xattr.user.=x', '\n='),
        ]),
      ),
      encodeHeader(entryOf({ uid: 7, mtime: { sec: 99, nsec: 0 } })),
      Buffer.from('abc'),
      padding(3),
    );
    assert.deepEqual(entry.name, path);
    assert.equal(data.toString(), 'abc');
    assert.deepEqual([entry.size, entry.uid, entry.gid], [3, 4294967294, 3000000]);
    assert.equal(entry.uname.toString(), 'm\u00fcller');
    assert.deepEqual(entry.gname, Buffer.from([0xe9]));
    assert.deepEqual(entry.mtime, { sec: -2, nsec: 500_000_000 });
    assert.deepEqual(entry.atime, { sec: 12, nsec: 1 });
    assert.deepEqual(entry.ctime, { sec: -1, nsec: 750_000_000 });
    assert.deepEqual([...entry.xattrs], [['user.', Buffer.from('x=\n=')]]);
  });

  test('an empty value takes a record back, the last of two counts', () => {
    const records = [record('path', 'a'), record('path', ''), record('uid', '1'), record('uid', '2')];
    const { entry } = only(pax(Buffer.concat(records)), file('file'));
    assert.equal(entry.name.toString(), 'file');
    assert.equal(entry.uid, 2);
  });

  test('device numbers too large for ustar', () => {
    const device = encodeHeader(
      entryOf({ type: 'block', name: Buffer.from('d'), devMajor: 5000000, devMinor: 9000000 }),
    );
    const { entry } = only(device);
    assert.deepEqual([entry.type, entry.devMajor, entry.devMinor], ['block', 5000000, 9000000]);
  });

  test('global headers are reported and, as in Docker, not applied', () => {
    const archive = Buffer.concat([pax(record('uid', '77'), 'g'), file('a'), endOfArchive]);
    const { members, globals } = parseTar(archive);
    assert.deepEqual(globals, ['PaxHeaders.0/file']);
    assert.equal(members[0]?.entry.uid, 0);
  });

  test('records do not leak to the next member', () => {
    const archive = Buffer.concat([
      pax(record('SCHILY.xattr.user.a', 'b')),
      file('a'),
      file('b'),
      endOfArchive,
    ]);
    assert.deepEqual(
      parseTar(archive).members.map(({ entry }) => entry.xattrs.size),
      [1, 0],
    );
  });
});

describe('header fields', () => {
  test('base-256 numbers, negative ones too', () => {
    const header = patch(
      encodeHeader(entryOf({ size: 5 })),
      [108, base256(4_000_000_000n, 8)],
      [116, base256(3_000_000n, 8)],
      [124, base256(5n, 12)],
      [136, base256(-1_000_000_007n, 12)],
    );
    const { entry } = only(header, Buffer.from('12345'), padding(5));
    assert.deepEqual([entry.uid, entry.gid, entry.size, entry.mtime.sec], [4e9, 3e6, 5, -1_000_000_007]);
  });

  test('a file of 8 EiB less one is refused, one of 20 GiB begins', () => {
    const header = patch(encodeHeader(entryOf({})), [124, base256(20n * 1024n ** 3n, 12)]);
    assert.throws(() => parseTar(header), /"file" at byte 0: unexpected EOF after 512 bytes/);
    const absurd = patch(encodeHeader(entryOf({})), [124, base256(2n ** 63n - 1n, 12)]);
    assert.throws(() => parseTar(absurd), { code: 'Corrupt', message: /size field is absurdly large/ });
  });

  test('GNU long name and link, over the header and with pax', () => {
    const name = Buffer.concat([Buffer.from(`${'n/'.repeat(1500)}x`), Buffer.from([0xff])]);
    const link = Buffer.from('l'.repeat(4000));
    const symlink = encodeHeader(
      entryOf({ type: 'symlink', name: Buffer.from('short'), linkName: Buffer.from('cut') }),
    );
    const { entry } = only(gnuLong('K', link), gnuLong('L', name), symlink);
    assert.deepEqual([entry.name, entry.linkName], [name, link]);
  });

  test('atime and ctime of GNU headers; a prefix that old Go wrote there', () => {
    const gnu: readonly [number, string] = [257, 'ustar  \0'];
    const times = patch(file('f'), gnu, [345, '14000000000\0'], [357, '14000000001\0']);
    const { entry } = only(times);
    assert.deepEqual([entry.atime?.sec, entry.ctime?.sec], [0o14000000000, 0o14000000001]);
    const prefixed = only(patch(file('f'), gnu, [345, 'some/directory/of/go'])).entry;
    assert.equal(prefixed.name.toString(), 'some/directory/of/go/f');
    assert.equal(prefixed.atime, undefined);
  });

  test('star headers', () => {
    const star = patch(
      file('f'),
      [345, 'pre'],
      [476, '00000000017\0'],
      [488, '00000000020\0'],
      [508, 'tar\0'],
    );
    const { entry } = only(star);
    assert.deepEqual([entry.name.toString(), entry.atime?.sec, entry.ctime?.sec], ['pre/f', 15, 16]);
  });

  test('a signed checksum', () => {
    const header = patch(file('cafe'), [0, Buffer.from('caf\xe9', 'latin1')]);
    const sum = Number.parseInt(header.toString('latin1', 148, 154), 8) - 256;
    header.write(sum.toString(8).padStart(6, '0'), 148, 'latin1');
    assert.deepEqual(only(header).entry.name.subarray(0, 4), Buffer.from('caf\xe9', 'latin1'));
  });

  test('types 7 and NUL; a directory of v7; slashes at the end', () => {
    assert.equal(only(patch(file('f'), [156, '7'])).entry.type, 'file');
    assert.equal(only(patch(file('f'), [156, '\0'])).entry.type, 'file');
    const directory = only(patch(file('d//'), [156, '\0'], [257, Buffer.alloc(8)])).entry;
    assert.deepEqual(
      [directory.type, directory.name.toString(), directory.rawName?.toString()],
      ['directory', 'd', 'd//'],
    );
    assert.equal(
      only(encodeHeader(entryOf({ type: 'directory', name: Buffer.from('/') }))).entry.name.toString(),
      '/',
    );
    assert.equal(only(file('f')).entry.rawName, undefined);
  });

  test('links and directories have no content whatever their size says', () => {
    const link = entryOf({ type: 'hardlink', name: Buffer.from('l'), linkName: Buffer.from('f') });
    const archive = Buffer.concat([
      patch(encodeHeader(link), [124, '00000001000\0']),
      file('b', 'b'),
      endOfArchive,
    ]);
    const { members } = parseTar(archive);
    assert.deepEqual(
      members.map(({ entry, data }) => [entry.size, data.toString()]),
      [
        [0, ''],
        [1, 'b'],
      ],
    );
  });
});

describe('the end of an archive', () => {
  test('garbage after it goes to raw', () => {
    const archive = Buffer.concat([file('a', 'a'), endOfArchive, Buffer.alloc(9000, 'garbage')]);
    for (const cut of cuts(archive.length)) {
      const { members, all, ended } = parseTar(archive, cut);
      assert.equal(members.length, 1);
      assert.ok(ended && all.equals(archive));
    }
  });

  test('it may end between members, after one zero block, in padding, or be empty', () => {
    const archive = file('a', 'a');
    for (const whole of [
      archive,
      Buffer.concat([archive, Buffer.alloc(512)]),
      archive.subarray(0, 600),
      Buffer.alloc(0),
    ]) {
      const { members, all, ended } = parseTar(whole);
      assert.equal(members.length, whole.length === 0 ? 0 : 1);
      assert.ok(!ended && all.equals(whole));
    }
  });
});
