import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TarEntry } from '../../src/archive/types.ts';
import { cuts, parseTar, run, tempDir } from './tar-tools.ts';

/** The file as its runs and stored bytes make it. */
function expand(entry: TarEntry, data: Buffer): Buffer {
  const content = Buffer.alloc(entry.size);
  let at = 0;
  for (const { offset, length } of entry.sparse ?? []) {
    data.copy(content, offset, at, at + length);
    at += length;
  }
  assert.equal(at, data.length);
  return content;
}

function makeSparse(path: string, size: number, pieces: number): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size);
  for (let i = 0; i < pieces; i++) writeSync(fd, `piece ${i}`, i * 65_536 + 4096 * (i % 7));
  closeSync(fd);
}

describe('GNU tar --sparse', () => {
  for (const args of [
    ['--format=oldgnu'],
    ['--format=gnu'],
    ['--format=pax', '--sparse-version=0.0'],
    ['--format=pax', '--sparse-version=0.1'],
    ['--format=pax', '--sparse-version=1.0'],
  ]) {
    test(args.join(' '), (t) => {
      using temp = tempDir();
      // Four runs fit the old header, 25 an extension block; the long name brings its own headers.
      const names = ['none', 'few', 'some', 'many', `${'long'.repeat(50)}`];
      for (const [i, pieces] of [0, 3, 24, 100, 60].entries()) {
        makeSparse(join(temp.path, names[i] ?? ''), 8_000_000, pieces);
      }
      const archive = run('tar', [...args, '--sparse', '-C', temp.path, '-cf', '-', ...names]);
      if (archive.length > 6_000_000) {
        t.skip('the filesystem under the temporary directory keeps no holes');
        return;
      }
      for (const cut of cuts(archive.length)) {
        const { members, all } = parseTar(archive, cut);
        assert.ok(all.equals(archive));
        assert.deepEqual(
          members.map(({ entry }) => entry.name.toString()),
          names,
        );
        for (const { entry, data } of members) {
          assert.ok(entry.sparse !== undefined);
          assert.ok(expand(entry, data).equals(readFileSync(join(temp.path, entry.name.toString()))));
        }
      }
    });
  }
});
