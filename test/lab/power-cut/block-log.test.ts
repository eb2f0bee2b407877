import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { cutsOf, openBlockLog, withoutWritesOf } from './block-log.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(`${tmpdir()}/ts-block-log-`);
});
after(() => rmSync(folder, { recursive: true }));

/** A sector of the log. */
function sector(write: (sector: Buffer) => void): Buffer {
  const made = Buffer.alloc(512);
  write(made);
  return made;
}

function entry(at: bigint, sectors: bigint, flags: bigint, data: Buffer): Buffer {
  const head = sector((made) => {
    made.writeBigUInt64LE(at, 0);
    made.writeBigUInt64LE(sectors, 8);
    made.writeBigUInt64LE(flags, 16);
    made.writeBigUInt64LE(BigInt(data.length), 24);
    if ((flags & 8n) !== 0n) data.copy(made, 32);
  });
  return (flags & 8n) !== 0n || (flags & 4n) !== 0n ? head : Buffer.concat([head, data]);
}

const NONE = Buffer.alloc(0);
const ENTRIES = [
  entry(0n, 0n, 8n, Buffer.from('0 begin\0')),
  entry(1n, 1n, 0n, Buffer.alloc(512, 'a')),
  entry(0n, 0n, 1n, NONE),
  entry(2n, 1n, 2n, Buffer.alloc(512, 'b')),
  entry(1n, 1n, 4n, NONE),
  entry(0n, 0n, 8n, Buffer.from('1 done\0')),
  entry(3n, 1n, 0n, Buffer.alloc(512, 'c')),
];

function logFile(magic = 0x6a736677736872n): string {
  const path = `${folder}/log`;
  const head = sector((made) => {
    made.writeBigUInt64LE(magic, 0);
    made.writeBigUInt64LE(1n, 8);
    made.writeBigUInt64LE(BigInt(ENTRIES.length), 16);
    made.writeUInt32LE(512, 24);
  });
  writeFileSync(path, Buffer.concat([head, ...ENTRIES, Buffer.alloc(4096)]));
  return path;
}

test('a log is read entry by entry, and its end found', () => {
  using log = openBlockLog(logFile());
  assert.equal(log.length, 512 + ENTRIES.reduce((sum, one) => sum + one.length, 0));
  assert.deepEqual(
    log.entries.map(({ mark, isFlush, isFua, isDiscard, at }) => [mark, isFlush, isFua, isDiscard, at]),
    [
      ['0 begin', false, false, false, 0],
      [undefined, false, false, false, 512],
      [undefined, true, false, false, 0],
      [undefined, false, true, false, 1024],
      [undefined, false, false, true, 512],
      ['1 done', false, false, false, 0],
      [undefined, false, false, false, 1536],
    ],
  );
});

test('entries do to a disk what they did to the device', () => {
  using log = openBlockLog(logFile());
  const disk = `${folder}/disk`;
  writeFileSync(disk, '');
  truncateSync(disk, 2048);
  const fd = openSync(disk, 'r+');
  const at = (count: number): string => {
    for (const one of log.entries.slice(0, count)) log.apply(one, fd);
    const text = readFileSync(disk, 'latin1');
    return [0, 1, 2, 3].map((nth) => (text[nth * 512] === '\0' ? '.' : text[nth * 512])).join('');
  };
  assert.deepEqual([at(1), at(2), at(4), at(7)], ['....', '.a..', '.ab.', '..bc']);
  closeSync(fd);
});

test('cuts come around flushes, at marks and at random, and know what was done by then', () => {
  using log = openBlockLog(logFile());
  assert.deepEqual(
    cutsOf(log.entries, { random: 0, torn: 0 }).map(
      ({ entries, mark, kind }) => `${entries} ${kind} ${mark}`,
    ),
    ['2 flush 0 begin', '3 flush 0 begin', '4 flush 0 begin', '6 mark 1 done'],
  );
  // At each of the others, once, and no flush or mark is taken for one.
  for (let seed = 1; seed < 30; seed += 1)
    assert.deepEqual(
      cutsOf(log.entries, { random: 200, torn: 0 }, seed).map(({ entries, kind }) => `${entries} ${kind}`),
      ['1 random', '2 flush', '3 flush', '4 flush', '5 random', '6 mark', '7 random'],
    );
  const two = cutsOf(log.entries, { random: 2, torn: 0 }).filter(({ kind }) => kind === 'random');
  assert.equal(new Set(two.map(({ entries }) => entries)).size, 2);
});

test('a torn cut loses some of the writes since the last flush, and none that is on the disk for good', () => {
  using log = openBlockLog(logFile());
  const torn = cutsOf(log.entries, { random: 0, torn: 50 }).filter(({ kind }) => kind === 'torn');
  assert.equal(torn.length, 7);
  const lost = new Set<number>();
  for (let seed = 1; seed < 30; seed += 1)
    for (const cut of cutsOf(log.entries, { random: 0, torn: 50 }, seed))
      for (const index of cut.lost) {
        assert.ok(cut.kind === 'torn' && index >= cut.durable && index < cut.entries);
        lost.add(index * 100 + cut.entries);
      }
  const lostAt = (entries: number): number[] =>
    [...lost].filter((one) => one % 100 === entries).map((one) => Math.floor(one / 100));
  assert.deepEqual(lostAt(2), [1]);
  // The write before the flush stays now, and so does the one that was to be written at once.
  assert.deepEqual(lostAt(7).sort(), [2, 4, 6]);
});

test('a disk that loses writes of a text has all others', () => {
  using log = openBlockLog(logFile());
  const losing = withoutWritesOf(log, 'bb');
  const disk = `${folder}/losing`;
  writeFileSync(disk, '');
  truncateSync(disk, 2048);
  const fd = openSync(disk, 'r+');
  for (const one of losing.entries) losing.apply(one, fd);
  closeSync(fd);
  assert.match(readFileSync(disk, 'latin1'), /^\0{1536}c{512}$/);
  assert.throws(() => withoutWritesOf(log, 'd'), /no write holds d/);
});

test('what is no log is refused', () => {
  assert.throws(() => openBlockLog(logFile(1n)), /not a log of dm-log-writes/);
});
