import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Crc64, crc64 } from '../../src/archive/crc64.ts';
import { seeded } from './tar-tools.ts';

/** The definition, bit by bit: reflected polynomial 0xD800000000000000, all ones before and after. */
function reference(bytes: Uint8Array): string {
  let crc = 0xffffffffffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) === 1n ? 0xd800000000000000n : 0n);
  }
  return (crc ^ 0xffffffffffffffffn).toString(16).padStart(16, '0');
}

test('crc64 gives the published values', () => {
  // Go, src/hash/crc64/crc64_test.go, the ISO column.
  assert.equal(crc64(Buffer.from('')).toString('hex'), '0000000000000000');
  assert.equal(crc64(Buffer.from('a')).toString('hex'), '3420000000000000');
  assert.equal(crc64(Buffer.from('abcdefghij')).toString('hex'), reference(Buffer.from('abcdefghij')));
  assert.equal(crc64(Buffer.from('123456789')).toString('hex'), 'b90956c775a41001');
});

test('crc64 agrees with the definition for every length, alignment and split', () => {
  const random = seeded(64);
  const pool = Buffer.from(new Uint8Array(5000).map(() => random() * 256));
  for (let round = 0; round < 300; round++) {
    const start = Math.floor(random() * 40);
    const bytes = pool.subarray(start, start + Math.floor(random() * (round < 200 ? 300 : 4900)));
    const crc = new Crc64();
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + Math.floor(random() * 500);
      crc.update(bytes.subarray(at, at + length));
      at += length;
    }
    assert.equal(crc.digest().toString('hex'), reference(bytes), `start ${start}, length ${bytes.length}`);
  }
});

test('crc64 of content longer than its scratch buffer, unaligned', () => {
  const pool = Buffer.alloc(200_001, 'tsengine');
  const whole = new Crc64();
  whole.update(pool.subarray(1));
  const halves = new Crc64();
  halves.update(pool.subarray(1, 100_000));
  halves.update(pool.subarray(100_000));
  assert.deepEqual(whole.digest(), halves.digest());
  assert.equal(whole.digest().toString('hex'), reference(pool.subarray(1)));
  whole.reset();
  assert.equal(whole.digest().toString('hex'), '0000000000000000');
});
