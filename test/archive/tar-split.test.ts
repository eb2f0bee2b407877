import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { crc64 } from '../../src/archive/crc64.ts';
import { TarReader } from '../../src/archive/reader.ts';
import { wholeBlockRuns } from '../../src/archive/sparse.ts';
import { assembleTar } from '../../src/archive/tar-assemble.ts';
import { TarSplitWriter } from '../../src/archive/tar-split.ts';
import type { TarEntry } from '../../src/archive/types.ts';
import { endOfArchive, padding } from '../../src/archive/writer.ts';
import { member, named, opener, split } from './split-tools.ts';
import { entryOf, gather, seeded, streamOf, tempDir } from './tar-tools.ts';
import { teeSinks } from './tee-sink.ts';

describe('TarSplitWriter', () => {
  test('writes what Docker writes', () => {
    const hello = named('a<b>&"\\\b\x01\x7f', 'hello');
    const odd = named('\xe9\xff', 'raw');
    const utf = named(Buffer.from('caf\u00e9 \u2028').toString('latin1'));
    const archive = Buffer.concat([hello, odd, utf, endOfArchive, Buffer.alloc(512)]);
    const base64 = (bytes: Buffer) => bytes.toString('base64');
    const oddHeader = odd.subarray(0, odd.length - 512);
    const expected = [
      `{"type":2,"payload":"${base64(hello.subarray(0, 512))}","position":0}`,
      '{"type":1,"name":"a\\u003cb\\u003e\\u0026\\"\\\\\\u0008\\u0001\x7f","size":5,"payload":"PD7u4tgQAAA=","position":1}',
      `{"type":2,"payload":"${base64(Buffer.concat([padding(5), oddHeader]))}","position":2}`,
      '{"type":1,"name_raw":"6f8=","size":3,"payload":"KrQN8AAAAAA=","position":3}',
      `{"type":2,"payload":"${base64(Buffer.concat([padding(3), utf]))}","position":4}`,
      '{"type":1,"name":"caf\u00e9 \\u2028","payload":null,"position":5}',
      `{"type":2,"payload":"${base64(endOfArchive)}","position":6}`,
      `{"type":2,"payload":"${base64(Buffer.alloc(512))}","position":7}`,
      '{"type":2,"payload":"","position":8}',
      '',
    ].join('\n');
    for (const chunk of [1, 100, archive.length])
      assert.equal(gunzipSync(split(archive, chunk)).toString(), expected);
  });

  test("refuses a path that comes twice, in Docker's words", () => {
    for (const [first, second] of [
      [named('./a/b', 'x'), named('a//b', 'x')],
      [named('a', 'x'), named('a')],
      [named('a'), named('a', 'x')],
      [named('a', 'x'), member({ type: 'directory', name: Buffer.from('a') })],
    ] as const) {
      assert.throws(() => split(Buffer.concat([first, second])), {
        code: 'InvalidParameter',
        message: /^duplicates of file paths not supported: "/,
      });
    }
  });

  test('takes a directory twice, as raw bytes the second time', async () => {
    const directory = member({ type: 'directory', name: Buffer.from('d') });
    const archive = Buffer.concat([directory, named('d/f'), directory, endOfArchive]);
    const lines = gunzipSync(split(archive)).toString().trim().split('\n');
    assert.equal(lines.filter((line) => line.includes('"name":"d/"')).length, 1);
    assert.ok((await gather(assembleTar(streamOf(split(archive)), opener('/nonexistent')))).equals(archive));
  });

  test('a hundred thousand paths, no two taken for one', () => {
    const writer = new TarSplitWriter(() => {});
    const random = seeded(5);
    const seen = new Set<string>();
    for (let i = 0; i < 100_000; i++) {
      const name = `${Math.floor(random() * 1000)}/${i % 7 === 0 ? 'aaaaaaaa'.repeat(i % 20) : ''}${i.toString(2)}`;
      seen.add(name);
      writer.entry(entryOf({ name: Buffer.from(name) }));
      writer.endEntry();
    }
    assert.equal(seen.size, 100_000);
    assert.throws(() => {
      writer.entry(entryOf({ name: Buffer.from([...seen][500] ?? ''), size: 1 }));
      writer.endEntry();
    }, /duplicates/);
  });

  test('beside another sink', () => {
    const names: string[] = [];
    const out: Buffer[] = [];
    const writer = new TarSplitWriter((gzip) => out.push(gzip));
    const other = {
      entry: (entry: TarEntry) => names.push(entry.name.toString()),
      data: () => {},
      endEntry: () => {},
    };
    const archive = Buffer.concat([named('a', 'x'), named('b'), endOfArchive]);
    const reader = new TarReader(teeSinks(other, writer), { rawBytes: true });
    reader.write(archive);
    reader.end();
    writer.finish();
    assert.deepEqual(names, ['a', 'b']);
    assert.ok(gunzipSync(Buffer.concat(out)).equals(gunzipSync(split(archive))));
  });
});

describe('assembleTar', () => {
  const sparse = wholeBlockRuns(
    [
      { offset: 5000, length: 3000 },
      { offset: 90_000_000, length: 700_000 },
    ],
    1e8,
  );
  const stored = sparse.reduce((sum, { length }) => sum + length, 0);
  const files: Record<string, string> = {
    'dir/a': 'content of a',
    'dir/big': 'tsengine '.repeat(300_000),
    '\xe9\xff': 'x',
    empty: '',
  };

  function layer(root: string): Buffer {
    mkdirSync(join(root, 'dir'));
    const parts = [member({ type: 'directory', name: Buffer.from('dir') })];
    for (const [name, content] of Object.entries(files)) {
      const path = Buffer.from(`${root}/${name}`, 'latin1');
      mkdirSync(dirname(`${root}/${name}`), { recursive: true });
      writeFileSync(path, content);
      parts.push(named(name, content));
    }
    parts.push(
      member({ type: 'hardlink', name: Buffer.from('dir/hard'), linkName: Buffer.from('dir/a') }),
      member({ name: Buffer.from('sparse'), size: 1e8, sparse }, Buffer.alloc(stored, 'sparse!')),
      endOfArchive,
      Buffer.alloc(3_000_000, 'garbage'),
    );
    return Buffer.concat(parts);
  }

  test('gives back the archive, byte for byte, from a path or a stream', async () => {
    using temp = tempDir();
    const archive = layer(temp.path);
    const bytes = split(archive);
    const path = join(temp.path, 'tar-split.json.gz');
    writeFileSync(path, bytes);
    assert.ok((await gather(assembleTar(path, opener(temp.path)))).equals(archive));
    assert.ok((await gather(assembleTar(streamOf(bytes), opener(temp.path)))).equals(archive));
    const plain = gunzipSync(bytes);
    assert.ok(
      (
        await gather(assembleTar(streamOf(plain.subarray(0, 9), plain.subarray(9)), opener(temp.path)))
      ).equals(archive),
    );
    const oneMember = gzipSync(plain);
    assert.ok((await gather(assembleTar(streamOf(oneMember), opener(temp.path)))).equals(archive));
  });

  test('names a file that was changed', async () => {
    for (const [change, how] of [
      [(path: string) => writeFileSync(path, 'Content of a'), 'has other content'],
      [(path: string) => appendFileSync(path, '!'), 'has more than 12 bytes'],
      [(path: string) => truncateSync(path, 5), 'has 5 bytes, not 12'],
      [(path: string) => unlinkSync(path), 'is gone'],
    ] as const) {
      using temp = tempDir();
      const bytes = split(layer(temp.path));
      change(join(temp.path, 'dir/a'));
      await assert.rejects(gather(assembleTar(streamOf(bytes), opener(temp.path))), {
        code: 'Corrupt',
        message: `file integrity checksum failed for "dir/a": the file was changed in the layer's directory: it ${how}`,
      });
      assert.deepEqual(openFilesBelow(temp.path), [], 'no descriptor is left open');
    }
  });

  test('closes the file when the consumer leaves in the middle of it', async () => {
    using temp = tempDir();
    const bytes = split(layer(temp.path));
    for await (const chunk of assembleTar(streamOf(bytes), opener(temp.path))) {
      assert.ok(chunk.length > 0);
      break;
    }
    assert.deepEqual(openFilesBelow(temp.path), []);
  });

  test('passes on other errors, takes what Docker writes for links with a size', async () => {
    const failing = () => {
      throw Object.assign(new Error('disk on fire'), { code: 'EIO' });
    };
    await assert.rejects(gather(assembleTar(streamOf(split(named('a', 'x'))), failing)), /disk on fire/);
    const line = '{"type":1,"name":"l","size":5,"payload":"AAAAAAAAAAA=","position":0}\n';
    assert.equal((await gather(assembleTar(streamOf(Buffer.from(line)), failing))).length, 0);
  });

  test('damaged data', async () => {
    const sum = crc64(Buffer.from('x')).toString('base64');
    for (const [text, why] of [
      ['not json\n', 'entry 0: not JSON'],
      ['[]\n', 'entry 0: '],
      ['{"type":3,"payload":"","position":0}\n', 'entry 0: type: '],
      ['{"type":2,"payload":7,"position":0}\n', 'entry 0: payload: '],
      ['{"type":2,"payload":"a!==","position":0}\n', 'entry 0: payload: not base64'],
      ['{"type":2,"payload":"YQ==","position":1}\n', 'entry 0: position is 1'],
      ['{"type":1,"name":"a","size":-1,"payload":null,"position":0}\n', 'entry 0: size: '],
      [
        '{"type":1,"name":"a","size":1,"payload":"YQ==","position":0}\n',
        'entry 0: payload is not a checksum',
      ],
      ['{"type":1,"name":"a","size":1,"payload":null,"position":0}\n', 'entry 0: payload is not a checksum'],
      [`{"type":1,"name":"a","size":1.5,"payload":"${sum}","position":0}\n`, 'entry 0: size: '],
      ['{"type":2,"payload":"","position":0}\n{"type":2,', 'entry 1: not JSON'],
    ] as const) {
      await assert.rejects(gather(assembleTar(streamOf(Buffer.from(text)), opener('/'))), (error) => {
        assert.ok(error instanceof Error && 'code' in error);
        assert.equal(error.code, 'Corrupt');
        assert.ok(
          error.message.startsWith(`corrupt tar-split data: tar-split.json.gz: ${why}`),
          error.message,
        );
        return true;
      });
    }
    const cut = split(named('a', 'x')).subarray(0, -9);
    await assert.rejects(gather(assembleTar(streamOf(cut), opener('/'))), { code: 'Corrupt' });
    await assert.rejects(gather(assembleTar('/nonexistent/tar-split.json.gz', opener('/'))), {
      code: 'ENOENT',
    });
  });
});

/** Files below a directory that this process has open. */
function openFilesBelow(root: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(`${root}/`) ? [target] : [];
    } catch {
      // The descriptor with which the list was read.
      return [];
    }
  });
}
