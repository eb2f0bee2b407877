import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { cpioArchive, padded } from '../../src/lab/cpio.ts';

test('the archive is one that another cpio reads', () => {
  const archive = cpioArchive([
    { type: 'directory', path: 'bin' },
    { type: 'file', path: 'bin/tool', data: Buffer.from('12345'), executable: true },
    { type: 'link', path: 'bin/sh', target: 'tool' },
    { type: 'device', path: 'console', major: 5, minor: 1 },
  ]);
  const listed = execFileSync('busybox', ['cpio', '-tv'], {
    input: archive,
    encoding: 'utf8',
    stdio: 'pipe',
  });
  const lines = listed
    .trim()
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' '));
  assert.match(lines[0] ?? '', /^drwxr-xr-x .* bin$/);
  assert.match(lines[1] ?? '', /^-rwxr-xr-x .* 5 .* bin\/tool$/);
  assert.match(lines[2] ?? '', /^lrwxrwxrwx .* bin\/sh -> tool$/);
  assert.match(lines[3] ?? '', /^crw------- .* console$/);
  assert.equal(archive.length % 4, 0);
});

test('archives may follow one another: each ends at a multiple of four', () => {
  assert.equal(padded(Buffer.alloc(5)).length, 8);
  assert.equal(padded(Buffer.alloc(8)).length, 8);
});
