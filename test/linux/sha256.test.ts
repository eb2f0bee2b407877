import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import { test } from 'node:test';
import { randomBytes, randomIndex } from '../../src/linux/random.ts';
import { sha256Hex } from '../../src/linux/sha256.ts';

test('the digest of small things is that of node:crypto', () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 4096, 1 << 20]) {
    const data = randomFillSync(Buffer.alloc(length));
    assert.equal(sha256Hex(data), createHash('sha256').update(data).digest('hex'), `${length} bytes`);
  }
  assert.equal(sha256Hex('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('random bytes differ, and fill the buffer', () => {
  const drawn = new Set(Array.from({ length: 64 }, () => randomBytes(32).toString('hex')));
  assert.equal(drawn.size, 64);
  assert.equal(randomBytes(256).length, 256);
  assert.throws(() => randomBytes(257), RangeError);
  const indices = new Set(Array.from({ length: 500 }, () => randomIndex(5)));
  assert.deepEqual([...indices].sort(), [0, 1, 2, 3, 4]);
});
