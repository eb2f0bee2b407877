import assert from 'node:assert/strict';
import { readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { latin1NamesIn, namesIn } from '../../src/linux/directory-names.ts';
import { mount, unmount } from '../../src/linux/mount.ts';
import { withRoot } from '../../src/linux/open-directory.ts';
import { tempDir } from '../archive/tar-tools.ts';

test('names come back as the bytes they are, of every length, all of very many, and however often they are asked for', () => {
  using folder = tempDir();
  const expected: string[] = [];
  const add = (name: string): void => {
    writeFileSync(Buffer.from(`${folder.path}/${name}`, 'latin1'), '');
    expected.push(name);
  };
  for (let length = 1; length <= 255; length++) add('n'.repeat(length));
  for (let n = 0; n < 5000; n++) add(`file-${n}`);
  for (const name of ['...', '..x', '.x', '\xff', 'a\nb', '\xfe'.repeat(255)]) add(name);
  expected.sort();
  withRoot(folder.path, (fd) => {
    assert.deepEqual(latin1NamesIn(fd).sort(), expected);
    for (let turn = 0; turn < 2; turn++) {
      assert.deepEqual(
        namesIn(fd)
          .map((name) => name.toString('latin1'))
          .sort(),
        expected,
      );
    }
  });
});

test('reading the names writes no time of access', () => {
  using folder = tempDir();
  mount({ source: 'none', target: folder.path, type: 'tmpfs' });
  try {
    // Older than the last change: then the kernel writes it, unless it is asked not to.
    utimesSync(folder.path, 1000, 2000);
    withRoot(folder.path, (fd) => assert.deepEqual(namesIn(fd), []));
    assert.equal(statSync(folder.path).atimeMs, 1_000_000);
    readdirSync(folder.path);
    assert.notEqual(statSync(folder.path).atimeMs, 1_000_000);
  } finally {
    unmount(folder.path);
  }
});
