import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nameList } from '../../../src/cli/flags/name-list.ts';
import { positive, positiveWhole } from '../../../src/cli/flags/positive.ts';

describe('a list of names', () => {
  test('is separated by commas', () => {
    assert.deepEqual(nameList('--withhold', 'a, b,c'), ['a', 'b', 'c']);
  });

  for (const text of ['a,,b', 'a,', ',', ' ', ''])
    test(`has no empty name, as ${JSON.stringify(text)} has`, () => {
      assert.throws(() => nameList('--withhold', text), {
        exitCode: 125,
        message: `invalid argument "${text}" for "--withhold" flag: a name is empty`,
      });
    });
});

describe('a number above zero', () => {
  test('may have a fraction where that means something', () => {
    assert.deepEqual(
      ['2', '0.5', '.5', '1e3'].map((text) => positive('--cpus', text)),
      [2, 0.5, 0.5, 1000],
    );
    for (const text of ['0', '-1', '', ' ', 'x', '1e999', '0x10'])
      assert.throws(() => positive('--cpus', text), /for "--cpus" flag: give a number above zero$/);
  });

  test('is whole and not too great where that is asked for', () => {
    assert.equal(positiveWhole('--jobs', '12'), 12);
    for (const text of ['0', '1.5', '1e3', ''])
      assert.throws(() => positiveWhole('--jobs', text), /flag: give a whole number above zero$/);
    assert.throws(() => positiveWhole('--jobs', '11', 10), /flag: give 10 or less$/);
  });
});
