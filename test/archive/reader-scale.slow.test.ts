import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { TarReader } from '../../src/archive/reader.ts';
import { encodeHeader, endOfArchive, padding } from '../../src/archive/writer.ts';
import { entryOf } from './tar-tools.ts';

const ENTRIES = 1_000_000;

/** Blocks of 1000 members of some 60 bytes of name and one of content, every tenth with a pax header. */
function* archive(): Generator<Buffer> {
  const content = Buffer.concat([Buffer.from('x'), padding(1)]);
  for (let block = 0; block < ENTRIES / 1000; block++) {
    const parts: Buffer[] = [];
    for (let i = 0; i < 1000; i++) {
      const name = Buffer.from(`usr/share/some/rather/long/path/${block}/file-number-${i}`);
      parts.push(
        encodeHeader(
          entryOf({ name, size: 1, mtime: { sec: 1_700_000_000, nsec: i % 10 === 0 ? i + 1 : 0 } }),
        ),
        content,
      );
    }
    yield Buffer.concat(parts);
  }
  yield endOfArchive;
}

test('a million members in bounded memory', { timeout: 60_000 }, () => {
  let members = 0;
  let bytes = 0;
  let readMs = 0;
  const reader = new TarReader(
    {
      entry: () => {
        members++;
      },
      data: (chunk) => {
        bytes += chunk.length;
      },
      endEntry: () => {},
      raw: (raw) => {
        bytes += raw.length;
      },
    },
    { rawBytes: true },
  );
  let total = 0;
  let heapEarly = 0;
  let rssEarly = 0;
  for (const chunk of archive()) {
    const start = performance.now();
    reader.write(chunk);
    readMs += performance.now() - start;
    total += chunk.length;
    if (members === 100_000) {
      heapEarly = settledHeap();
      rssEarly = process.memoryUsage.rss();
    }
  }
  reader.end();
  assert.equal(members, ENTRIES);
  assert.equal(bytes, total);
  const heapGrowth = settledHeap() - heapEarly;
  const rssGrowth = process.memoryUsage.rss() - rssEarly;
  assert.ok(heapGrowth < 4 << 20, `the heap grew by ${heapGrowth >> 10} KiB`);
  // Garbage that waits for collection comes on top; the archive is 1.1 GB.
  assert.ok(rssGrowth < 96 << 20, `resident memory grew by ${rssGrowth >> 20} MiB`);
  assert.ok(readMs < 10_000, `reading took ${readMs.toFixed(0)} ms`);
});

/** The heap in use once garbage has been collected. */
function settledHeap(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  assert.ok(typeof collect === 'function');
  collect();
  return process.memoryUsage().heapUsed;
}
