/** What is in the page cache of real files, and where their blocks lie. */
import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  linkSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { noise } from '../../../bench/suite/agent/single-file.ts';
import { cachedOf } from '../../../bench/suite/measure/page-cache.ts';
import { piecesOf } from '../../../bench/suite/stores/zpool.ts';

const MIB = 1024 * 1024;
const folder = mkdtempSync('/var/tmp/tsengine-page-cache-');
after(() => rmSync(folder, { recursive: true, force: true }));

test('a file is in the page cache once, however many names it has, and a copy is there again', () => {
  const [file, link, copy] = ['file', 'link', 'copy'].map((name) => join(folder, name));
  assert.ok(file !== undefined && link !== undefined && copy !== undefined);
  writeFileSync(file, noise(8 * MIB));
  linkSync(file, link);
  copyFileSync(file, copy);
  for (const path of [file, copy]) {
    const opened = openSync(path, 'r');
    readSync(opened, Buffer.alloc(8 * MIB));
    closeSync(opened);
  }
  assert.deepEqual(cachedOf([file]), { seen: 8 * MIB, distinct: 8 * MIB });
  assert.deepEqual(cachedOf([file, link]), { seen: 16 * MIB, distinct: 8 * MIB });
  assert.deepEqual(cachedOf([file, copy]), { seen: 16 * MIB, distinct: 16 * MIB });
  assert.deepEqual(cachedOf([]), { seen: 0, distinct: 0 });
});

test('looking does not bring anything in', () => {
  const path = join(folder, 'sparse');
  writeFileSync(path, '');
  assert.deepEqual(cachedOf([path]), { seen: 0, distinct: 0 });
  // Nobody has read a hole.
  const opened = openSync(path, 'r+');
  try {
    writeFileSync(opened, Buffer.alloc(4096));
  } finally {
    closeSync(opened);
  }
  assert.deepEqual(cachedOf([path]), { seen: 4096, distinct: 4096 });
});

/** As zdb of OpenZFS 2.1 and of zfs-fuse write it, shortened. */
const LISTED = `
Indirect blocks:
               0 L1  0:40801a00:600 20000L/600P F=4 B=1234/1234 cksum=1a:2b
               0  L0 0:30000000:20000 20000L/20000P F=1 B=1234/1234
           20000  L0 0:30020000:20000 20000L/20000P F=1 B=1234/1234
           40000  L0 EMBEDDED et=0 20000L/1cP B=1234
           60000  L0 0:30060000:20000 20000L/20000P F=1 B=1234/1234
           80000  L0 1:30080000:20000 20000L/20000P F=1 B=1234/1234

                segment [0000000000000000, 00000000000a0000) size  640K
`;

test('pieces of a file of ZFS end where the next block lies elsewhere', () => {
  assert.equal(piecesOf(LISTED), 3);
  assert.throws(() => piecesOf("zdb: can't open pool"), /zdb told of no blocks: zdb: can't open pool/);
});
