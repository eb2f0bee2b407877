import assert from 'node:assert/strict';
import { lstatSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { wholeBlockRuns } from '../../src/archive/sparse.ts';
import { type EntryType, LIMITS, type SparseRun, type TarEntry } from '../../src/archive/types.ts';
import { contentSize, encodeHeader, endOfArchive, padding } from '../../src/archive/writer.ts';
import { cuts, entryOf, parseTar, run, seeded, tempDir } from './tar-tools.ts';

function archiveOf(entries: readonly TarEntry[], content: (entry: TarEntry) => Buffer): Buffer {
  const parts = entries.flatMap((entry) => {
    const data = content(entry);
    assert.equal(data.length, contentSize(entry));
    return [encodeHeader(entry), data, padding(data.length)];
  });
  return Buffer.concat([...parts, endOfArchive]);
}

const TYPES: readonly EntryType[] = ['file', 'hardlink', 'symlink', 'char', 'block', 'directory', 'fifo'];

/** A random entry, in which every value is as likely to fit ustar as not. */
function randomEntry(random: () => number): TarEntry {
  const below = (most: number) => Math.floor(random() * most);
  const bytes = (most: number) => {
    const ascii = random() < 0.5;
    return Buffer.from(new Uint8Array(below(most)).map(() => (ascii ? 97 + below(26) : 1 + below(255))));
  };
  const path = (most: number) => {
    const parts = Array.from({ length: 1 + below(most) }, () =>
      bytes(random() < 0.2 ? 200 : 30).map((b) => (b === 47 ? 48 : b)),
    );
    return Buffer.concat([...parts.flatMap((part) => [part, Buffer.from('/')]), Buffer.from('e')]);
  };
  const time = () => ({ sec: Math.floor((random() - 0.2) * 4e9), nsec: random() < 0.5 ? 0 : below(1e9) });
  const type = TYPES[below(TYPES.length)] ?? 'file';
  const device = type === 'char' || type === 'block';
  const xattrs = new Map<string, Buffer>();
  for (let i = below(4); i > 0; i--) xattrs.set(`user.${bytes(20).toString('latin1')}%=`, bytes(300));
  return {
    type,
    name: path(8),
    linkName: type === 'hardlink' || type === 'symlink' ? path(8) : Buffer.alloc(0),
    mode: below(0o10000),
    uid: random() < 0.7 ? below(0o7777777) : below(0xfffffffe),
    gid: random() < 0.7 ? below(0o7777777) : below(0xfffffffe),
    uname: bytes(40),
    gname: bytes(40),
    size: type === 'file' ? below(2000) : 0,
    mtime: time(),
    ...(random() < 0.2 ? { atime: time(), ctime: time() } : undefined),
    devMajor: device ? below(4096) : 0,
    devMinor: device ? below(1 << 20) : 0,
    xattrs: new Map([...xattrs].sort(([a], [b]) => (a < b ? -1 : 1))),
    ...(type === 'file' && random() < 0.2 ? sparseFile(below) : undefined),
  };
}

function sparseFile(below: (most: number) => number): { size: number; sparse: SparseRun[] } {
  const runs: SparseRun[] = [];
  let at = 0;
  for (let i = below(120); i > 0; i--) {
    const run = { offset: at + below(1e6), length: 1 + below(700) };
    runs.push(run);
    at = run.offset + run.length;
  }
  const size = at + below(2) * below(1e9);
  return { size, sparse: wholeBlockRuns(runs, size) };
}

test('what is written reads back the same, whatever it is', () => {
  const random = seeded(7);
  const entries = Array.from({ length: 1500 }, () => randomEntry(random));
  const content = (entry: TarEntry) => Buffer.alloc(contentSize(entry), entry.name.toString('latin1'));
  const archive = archiveOf(entries, content);
  assert.ok(archive.equals(archiveOf(entries, content)), 'the same bytes every time');
  for (const cut of cuts(archive.length)) {
    const { members } = parseTar(archive, cut);
    assert.equal(members.length, entries.length);
    for (const [i, { entry, data }] of members.entries()) {
      const wrote = entries[i] ?? assert.fail();
      const { rawName: _, ...read } = entry;
      assert.deepEqual(read, wrote, `entry ${i}`);
      assert.ok(data.equals(content(wrote)), `content of entry ${i}`);
    }
  }
});

describe('other programs read it', () => {
  const long = Buffer.from(`${'deep/'.repeat(30)}${'n'.repeat(200)}`);
  const entries = [
    entryOf({
      type: 'directory',
      name: Buffer.from('dir'),
      mode: 0o1777,
      mtime: { sec: 1_600_000_000, nsec: 1 },
    }),
    entryOf({
      name: Buffer.from('dir/plain'),
      size: 5,
      mode: 0o4755,
      mtime: { sec: 1_700_000_000, nsec: 123_456_789 },
    }),
    entryOf({ name: Buffer.from(`${'p'.repeat(90)}/${'q'.repeat(90)}`), size: 5 }),
    entryOf({ name: long, size: 5, xattrs: new Map([['user.bin', Buffer.from([0, 10, 61, 255])]]) }),
    entryOf({ name: Buffer.from('dir/caf\u00e9'), size: 5, mtime: { sec: -5, nsec: 250_000_000 } }),
    entryOf({ name: Buffer.from([0x64, 0x69, 0x72, 0x2f, 0xe9, 0xff]), size: 5 }),
    entryOf({ type: 'hardlink', name: Buffer.from('dir/hard'), linkName: Buffer.from('dir/plain') }),
    entryOf({
      type: 'symlink',
      name: Buffer.from('dir/sym'),
      linkName: Buffer.from(`../${'t'.repeat(200)}`),
    }),
    entryOf({ type: 'fifo', name: Buffer.from('dir/fifo'), mode: 0o600 }),
    entryOf({
      name: Buffer.from('sparse'),
      size: 1_000_000,
      sparse: [
        { offset: 4096, length: 512 },
        { offset: 500_000, length: 1024 },
      ],
    }),
    entryOf({ name: Buffer.from('holes'), size: 12_345, sparse: [] }),
    entryOf({ name: Buffer.from('full'), size: 10, sparse: [{ offset: 0, length: 10 }], uid: 0 }),
  ];
  const archive = archiveOf(entries, (entry) => Buffer.alloc(contentSize(entry), 'bytes'));

  test('GNU tar', () => {
    using temp = tempDir();
    run('tar', ['--no-same-owner', '-p', '-xf', '-', '-C', temp.path], { input: archive });
    assert.equal(
      lstatSync(join(temp.path, 'dir/plain'), { bigint: true }).mtimeNs,
      1_700_000_000_123_456_789n,
    );
    assert.equal(lstatSync(join(temp.path, 'dir/caf\u00e9'), { bigint: true }).mtimeNs, -4_750_000_000n);
    assert.equal(lstatSync(join(temp.path, 'dir')).mode & 0o7777, 0o1777);
    assert.equal(lstatSync(join(temp.path, 'dir/plain')).nlink, 2);
    assert.ok(lstatSync(join(temp.path, 'dir/fifo')).isFIFO());
    assert.equal(readlinkSync(join(temp.path, 'dir/sym')), `../${'t'.repeat(200)}`);
    for (const { name, size, sparse } of entries.filter(({ type }) => type === 'file')) {
      const content = readFileSync(Buffer.concat([Buffer.from(`${temp.path}/`), name]));
      const stored = Buffer.alloc(2048, 'bytes');
      const expected = Buffer.alloc(sparse === undefined ? 0 : size);
      let at = 0;
      for (const { offset, length } of sparse ?? []) {
        stored.copy(expected, offset, at, at + length);
        at += length;
      }
      assert.ok(
        content.equals(sparse === undefined ? Buffer.from('bytes') : expected),
        name.toString('latin1'),
      );
    }
  });

  test('Python tarfile', (t) => {
    using temp = tempDir();
    const script = `import tarfile,json,sys
t=tarfile.open(sys.argv[1], errors='surrogateescape')
print(json.dumps([[m.name, m.type.decode('latin1'), m.size, m.mode, m.mtime, m.linkname, [list(s) for s in (m.sparse or [])],
  t.extractfile(m).read(10).decode('latin1') if m.isreg() else ''] for m in t], ensure_ascii=True))`;
    writeFileSync(join(temp.path, 'a.tar'), archive);
    try {
      run('python3', ['--version']);
    } catch {
      t.skip('python3 is not installed');
      return;
    }
    const output = run('python3', ['-c', script, join(temp.path, 'a.tar')]);
    const members: unknown = JSON.parse(output.toString());
    assert.ok(Array.isArray(members));
    assert.deepEqual(
      members.map(([name, , size, mode]) => [name, size, mode]),
      entries.map(({ name, size, mode }) => [
        name[4] === 0xe9 ? 'dir/\udce9\udcff' : name.toString('utf8'),
        size,
        mode,
      ]),
    );
    assert.equal(members[1][4], 1_700_000_000.123_456_7);
    assert.equal(members[4][4], -4.75);
    assert.deepEqual(members[9][6], [
      [4096, 512],
      [500_000, 1024],
      [1_000_000, 0],
    ]);
  });

  test('plain ustar where everything fits: one block, no pax', () => {
    assert.equal(encodeHeader(entryOf({ name: Buffer.from('n'.repeat(100)), uid: 0o7777777 })).length, 512);
    assert.equal(
      encodeHeader(entryOf({ name: Buffer.from(`${'p'.repeat(155)}/${'n'.repeat(100)}`) })).length,
      512,
    );
    assert.equal(
      encodeHeader(entryOf({ name: Buffer.from(`${'p'.repeat(156)}/${'n'.repeat(100)}`) })).length,
      1536,
    );
    assert.equal(encodeHeader(entryOf({ size: 0o77777777777 })).length, 512);
    assert.equal(encodeHeader(entryOf({ size: 0o77777777777 + 1 })).length, 1536);
  });
});

test('more xattrs than a pax header may hold are refused by name', () => {
  const xattrs = new Map(
    Array.from({ length: 17 }, (_, i) => [`user.${i}`, Buffer.alloc(LIMITS.xattrValue)]),
  );
  assert.throws(() => encodeHeader(entryOf({ name: Buffer.from('a\nb'), xattrs })), {
    code: 'InvalidParameter',
    message: /^cannot archive "a\\x0ab": \d+ bytes of names and extended attributes, more than 1048576$/,
  });
});

test('runs are widened to whole blocks', () => {
  const run = (offset: number, length: number) => ({ offset, length });
  assert.deepEqual(wholeBlockRuns([run(1, 1), run(511, 2), run(1024, 5)], 1030), [run(0, 1030)]);
  assert.deepEqual(wholeBlockRuns([run(0, 512), run(1024, 1), run(9000, 1)], 9001), [
    run(0, 512),
    run(1024, 512),
    run(8704, 297),
  ]);
  assert.deepEqual(wholeBlockRuns([], 100), []);
  assert.throws(() => encodeHeader(entryOf({ size: 99, sparse: [run(0, 1), run(5, 1)] })), TypeError);
});
