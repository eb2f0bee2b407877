import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSize, humanSize, ramInBytes, sizeInBytes } from '../../../src/cli/format/units.ts';

test('sizes in powers of 1000', () => {
  const cases: readonly (readonly [bytes: number, text: string, digits?: number])[] = [
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [117_600_000, '117.6MB'],
    [117_600_000, '118MB', 3],
    [4_262_000, '4.26MB', 3],
    [124e6, '124MB', 3],
    [1.5e9, '1.5GB'],
    // Go's %.3g, quirk and all.
    [999_900, '1e+03kB', 3],
    [2 ** 62, '4.612EB'],
  ];
  for (const [bytes, text, digits] of cases) assert.equal(humanSize(bytes, digits), text);
});

test('sizes in powers of 1024', () => {
  assert.equal(bytesSize(0), '0B');
  assert.equal(bytesSize(1024), '1KiB');
  assert.equal(bytesSize(16_623_460_352), '15.48GiB');
});

test('reading sizes', () => {
  const good: readonly (readonly [string, number])[] = [
    ['0', 0],
    ['512m', 512 * 2 ** 20],
    ['1.5g', 1.5 * 2 ** 30],
    ['64KiB', 65536],
    ['1KB', 1024],
    ['1ib', 1],
    ['1 k', 1024],
    ['9p', 9 * 2 ** 50],
    ['1tb', 2 ** 40],
  ];
  for (const [text, bytes] of good) assert.equal(ramInBytes(text), bytes, text);
  assert.equal(sizeInBytes('10GB'), 10e9);
  for (const text of ['', 'x', ' 1g', '1  k', '.5g', '-1', '1e3', '1.g', '1_0', '1ei', '9999999999g']) {
    assert.throws(() => ramInBytes(text), { message: `invalid size: '${text}'` }, text);
  }
  assert.throws(() => ramInBytes('1.2.3'), {
    message: 'strconv.ParseFloat: parsing "1.2.3": invalid syntax',
  });
});
