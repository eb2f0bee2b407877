import assert from 'node:assert/strict';
import { createReadStream, createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { compress, decompress, detectCompression } from '../../src/archive/compression.ts';
import { encodeHeader } from '../../src/archive/writer.ts';
import { entryOf, gather, run, seeded, streamOf, tempDir } from './tar-tools.ts';

const random = seeded(11);
/** Content that compresses to about half, so that frames have several blocks. */
const content = Buffer.from(new Uint8Array(3_000_000).map((_, i) => (i % 2 === 0 ? 65 : random() * 256)));

/** A stream that counts how often it was closed and how much of it was read. */
function watched(chunks: Iterable<Buffer>, then?: () => Promise<void> | void) {
  const seen = { read: 0, closed: 0 };
  async function* stream(): AsyncGenerator<Buffer> {
    try {
      for (const chunk of chunks) {
        seen.read++;
        yield chunk;
      }
      await then?.();
    } finally {
      seen.closed++;
    }
  }
  return { seen, stream: stream() };
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const skippable = (size: number) => {
  const frame = Buffer.alloc(8 + size, 0xee);
  frame.writeUInt32LE(0x184d2a57, 0);
  frame.writeUInt32LE(size, 4);
  return frame;
};
const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

const kinds: Record<string, Buffer> = {
  none: content,
  gzip: gzipSync(content, { level: 1 }),
  'gzip of two members': Buffer.concat([
    gzipSync(content.subarray(0, 1000)),
    gzipSync(content.subarray(1000), { level: 1 }),
  ]),
  'gzip with zeros after it': Buffer.concat([gzipSync(content, { level: 1 }), Buffer.alloc(5000)]),
  zstd: zstdCompressSync(content),
  'zstd with checksums': zstdCompressSync(content, checked),
  'zstd of many frames, some skippable, some empty': Buffer.concat([
    skippable(0),
    ...[...pieces(content, 70_000)].flatMap((piece, i) => [
      zstdCompressSync(piece, i % 2 === 0 ? checked : {}),
      skippable(i),
    ]),
    zstdCompressSync(Buffer.alloc(0)),
  ]),
  'zstd of run-length blocks': zstdCompressSync(Buffer.alloc(3_000_000, 'A')),
};

describe('decompress', () => {
  for (const [name, bytes] of Object.entries(kinds)) {
    test(name, async () => {
      const expected = name.includes('run-length') ? Buffer.alloc(3_000_000, 'A') : content;
      for (const size of [bytes.length, 65_536, 1000, 7].filter((size) => bytes.length / size < 50_000)) {
        const { seen, stream } = watched(pieces(bytes, size));
        assert.ok((await gather(decompress(stream))).equals(expected), `pieces of ${size}`);
        assert.equal(seen.closed, 1);
      }
    });
  }

  test('what the tools write', async () => {
    using temp = tempDir();
    const path = join(temp.path, 'content');
    writeFileSync(path, content);
    run('gzip', ['-k', path]);
    assert.ok((await gather(decompress(createReadStream(`${path}.gz`)))).equals(content));
    run('zstd', ['-q', '-T2', path]);
    assert.ok((await gather(decompress(createReadStream(`${path}.zst`)))).equals(content));
  });

  test('nothing at all, one byte', async () => {
    assert.equal((await gather(decompress(streamOf()))).length, 0);
    assert.equal((await gather(decompress(streamOf(Buffer.from('x'))))).toString(), 'x');
  });

  test('large chunks come out', async () => {
    const zeros = gzipSync(Buffer.alloc(8_000_000));
    const sizes: number[] = [];
    for await (const chunk of decompress(streamOf(zeros))) sizes.push(chunk.length);
    assert.ok(sizes.length <= 8_000_000 / 262_144, `${sizes.length} chunks`);
  });
});

describe('bad input', () => {
  for (const [name, bytes] of Object.entries(kinds).filter(([name]) => name !== 'none')) {
    test(`${name}: cut short`, { timeout: 20_000 }, async () => {
      const tail = name.includes('zeros') ? 5000 : name.includes('many frames') ? 12 : 0;
      for (const length of [10, 1000, bytes.length - tail - 3, bytes.length - tail - 1].filter(
        (n) => n < bytes.length - tail,
      )) {
        if (name === 'gzip of two members' && length === 1000) continue;
        await assert.rejects(gather(decompress(streamOf(bytes.subarray(0, length)))), {
          code: 'Corrupt',
          message: /^corrupt (gzip|zstd) data: unexpected end of file$/,
        });
      }
    });
  }

  test('damaged', async () => {
    const flip = (bytes: Buffer, at: number) => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 0xff;
      return copy;
    };
    for (const name of ['gzip', 'zstd with checksums']) {
      const bytes = kinds[name] ?? assert.fail();
      for (const at of [5000, bytes.length >> 1, bytes.length - 2]) {
        const { seen, stream } = watched(pieces(flip(bytes, at), 10_000));
        await assert.rejects(gather(decompress(stream)), {
          code: 'Corrupt',
          message: /^corrupt (gzip|zstd) data: [^\n]+$/,
        });
        assert.equal(seen.closed, 1);
      }
    }
    const garbage = Buffer.from('garbage');
    for (const name of ['gzip', 'zstd']) {
      const bytes = Buffer.concat([kinds[name] ?? garbage, garbage]);
      await assert.rejects(gather(decompress(streamOf(bytes))), { code: 'Corrupt' });
    }
  });

  test('damage is told even while the source has nothing more to give', { timeout: 5000 }, async () => {
    const stalled = new PassThrough();
    stalled.write(Buffer.concat([Buffer.from('1f8b0800', 'hex'), Buffer.alloc(3000, 0xff)]));
    await assert.rejects(gather(decompress(stalled)), { code: 'Corrupt' });
    stalled.destroy();
  });

  for (const tool of ['bzip2', 'xz']) {
    test(`${tool} goes through the program of that name`, async () => {
      const packed = run(tool, ['-c'], { input: content });
      const { seen, stream } = watched([packed.subarray(0, 10), packed.subarray(10)]);
      assert.ok((await gather(decompress(stream))).equals(content));
      assert.equal(seen.closed, 1);
    });

    test(`truncated ${tool} data is corrupt, and a consumer that leaves ends the program`, async () => {
      const packed = run(tool, ['-c'], { input: content });
      const cut = decompress(streamOf(packed.subarray(0, packed.length - 20)));
      await assert.rejects(gather(cut), {
        code: 'Corrupt',
        message: new RegExp(`^corrupt ${tool} data: ${tool}: `),
      });
      for await (const chunk of decompress(streamOf(packed))) {
        assert.ok(chunk.length > 0);
        break;
      }
    });

    test(`without the program ${tool} data is refused with the package to install`, async () => {
      const packed = run(tool, ['-c'], { input: content.subarray(0, 5000) });
      const path = process.env.PATH;
      process.env.PATH = '/nonexistent';
      try {
        await assert.rejects(gather(decompress(streamOf(packed))), {
          code: 'Unavailable',
          message: new RegExp(`^${tool} is needed to read this archive: install the package `),
        });
      } finally {
        process.env.PATH = path;
      }
    });
  }

  test('a tar archive whose first name looks compressed is a tar archive', () => {
    for (const name of ['BZh91AY', '\x1f\x8b\x08', '\xfd7zXZ']) {
      const header = encodeHeader(entryOf({ name: Buffer.from(name, 'latin1') }));
      assert.equal(detectCompression(header.subarray(header.length - 512)), 'none');
    }
  });
});

describe('sources', () => {
  for (const name of ['none', 'gzip', 'zstd']) {
    const bytes = kinds[name] ?? content;

    test(`${name}: an error of the source is passed on as it is`, async () => {
      const failure = new Error('disk on fire');
      const { seen, stream } = watched(pieces(bytes.subarray(0, 100_000), 1000), () => {
        throw failure;
      });
      await assert.rejects(gather(decompress(stream)), (error) => error === failure);
      assert.equal(seen.closed, 1);
    });

    test(`${name}: the source is closed when the consumer leaves`, { timeout: 5000 }, async () => {
      const { seen, stream } = watched(pieces(bytes, 10_000));
      for await (const chunk of decompress(stream)) {
        assert.ok(chunk.length > 0);
        break;
      }
      assert.equal(seen.closed, 1);
      assert.ok(seen.read < bytes.length / 10_000, 'not all of it was read');
    });

    test(`${name}: leaving does not wait for a source that stalls`, { timeout: 5000 }, async () => {
      const stalled = new PassThrough();
      stalled.write(bytes);
      for await (const chunk of decompress(stalled)) {
        assert.ok(chunk.length > 0);
        break;
      }
      stalled.destroy();
    });
  }
});

describe('compress', () => {
  for (const kind of ['gzip', 'zstd'] as const) {
    test(kind, async () => {
      using temp = tempDir();
      const first = await gather(compress(kind, streamOf(...pieces(content, 100_000))));
      assert.ok(
        first.equals(await gather(compress(kind, streamOf(...pieces(content, 100_000))))),
        'the same every time',
      );
      assert.ok((await gather(decompress(streamOf(first)))).equals(content));
      const path = join(temp.path, 'out');
      await pipeline(compress(kind, streamOf(content)), createWriteStream(path));
      assert.ok(run(kind, ['-dc'], { input: first }).equals(content));
      const failure = new Error('gone');
      const failing = watched([content], () => {
        throw failure;
      });
      await assert.rejects(gather(compress(kind, failing.stream)), (error) => error === failure);
    });
  }
});
