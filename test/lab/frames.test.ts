import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeFields, encodeFrame, FrameReader } from '../../src/lab/frames.ts';

describe('frames', () => {
  const stream = Buffer.concat([
    encodeFrame('O', 'out'),
    encodeFrame('S'),
    encodeFrame('E', Buffer.alloc(70_000, 7)),
  ]);

  test('come out as they went in, however the stream is cut', () => {
    for (const size of [1, 3, 5, 4096, stream.length]) {
      const reader = new FrameReader();
      const frames = [];
      for (let at = 0; at < stream.length; at += size)
        frames.push(...reader.push(stream.subarray(at, at + size)));
      assert.deepEqual(
        frames.map(({ kind, data }) => `${kind}${data.length}`),
        ['O3', 'S0', 'E70000'],
      );
    }
  });

  test('of impossible length are refused', () => {
    assert.throws(() => new FrameReader().push(Buffer.from('O\xff\xff\xff\xff', 'latin1')), RangeError);
  });

  test('carry several texts in one', () => {
    assert.equal(encodeFields([80, 24, 'a b', '']), '80\x0024\0a b\0');
  });
});
