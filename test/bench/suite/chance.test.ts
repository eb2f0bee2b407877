import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  chanceBeyond,
  spreadBetween,
  spreadOf,
  standing,
  studentTail,
} from '../../../bench/suite/compare/chance.ts';
import { contrastOf, HALF_CONFIDENCE, judge, quotientOf } from '../../../bench/suite/compare/contrast.ts';
import { randomFrom } from '../../../bench/suite/random.ts';

const near = (found: number, expected: number, part = 1e-3): void =>
  assert.ok(Math.abs(found - expected) <= part * Math.abs(expected), `${found} is not ${expected}`);

describe('the chance of a difference', () => {
  test('is that of tables of Student’s distribution', () => {
    // Two-sided 5 %: the table of every textbook.
    for (const [freedom, t] of [
      [1, 12.706],
      [2, 4.303],
      [5, 2.571],
      [10, 2.228],
      [30, 2.042],
      [120, 1.98],
    ] as const)
      near(2 * studentTail(t, freedom), 0.05, 2e-3);
    near(studentTail(0, 7), 0.5);
    near(studentTail(10, 10), 7.947e-7);
  });

  test('is Welch’s, and only what is beyond the margin counts', () => {
    const logs = (list: readonly number[]) => list.map(Math.exp);
    const spread = spreadOf(logs([1, 2, 3, 4]), logs([0, 0, 1, 1, 1, 0]));
    near(spread.difference, 2);
    near(spread.variance, 5 / 3 / 4 + 0.3 / 6);
    near(spread.freedom, (5 / 12 + 0.05) ** 2 / ((5 / 12) ** 2 / 3 + 0.05 ** 2 / 5));
    near(chanceBeyond(spread, 1), 2 * studentTail(2 / Math.sqrt(spread.variance), spread.freedom));
    assert.equal(chanceBeyond(spread, Math.exp(2)), 1);
    assert.equal(chanceBeyond(spreadOf([2], [1, 1]), 1), 1, 'one value has no spread');
    assert.equal(chanceBeyond(spreadOf([2, 2], [1, 1]), 1.05), 0);
    const between = spreadBetween(spread, spread);
    assert.deepEqual([between.difference, between.variance], [0, 2 * spread.variance]);
    near(between.freedom, 2 * spread.freedom);
  });

  test('of many is judged by Holm: the least by the number of all, the next by one less', () => {
    assert.deepEqual(standing([0.01, 0.04, 0.03, 0.005], 0.05), [true, false, false, true]);
    assert.deepEqual(standing([0.01, 0.02, 0.03], 0.05), [true, true, true]);
    assert.deepEqual(standing([], 0.05), []);
  });
});

describe('a contrast', () => {
  const random = randomFrom(7);
  const drawn = (count: number, scale: number): number[] =>
    Array.from({ length: count }, () => scale * (1 + 0.02 * random()));

  test('over points of any size is their common factor', () => {
    const pairs = [1, 1000, 1e6].map((scale) => ({
      values: drawn(6, 1.5 * scale),
      baseline: drawn(6, scale),
    }));
    const contrast = contrastOf(pairs);
    assert.ok(contrast !== undefined);
    near(contrast.ratio.value, 1.5, 0.01);
    assert.ok(contrast.ratio.low > 1.45 && contrast.ratio.high < 1.55);
    assert.equal(contrastOf([{ values: [], baseline: [1] }]), undefined);
  });

  test('whose factor differs from point to point has an interval that covers that', () => {
    const pairs = [1, 4].map((factor) => ({ values: drawn(6, factor), baseline: drawn(6, 1) }));
    const contrast = contrastOf(pairs);
    assert.ok(contrast !== undefined);
    near(contrast.ratio.value, 2, 0.02);
    assert.ok(contrast.ratio.low < 1.02 && contrast.ratio.high > 3.9);
  });

  test('over points that were measured in the same turns is of so many values as there were turns', () => {
    const turns = Array.from({ length: 6 }, (_, index) => index);
    const of = (given: object) =>
      contrastOf(
        Array.from({ length: 10 }, () => ({ values: drawn(6, 1.5), baseline: drawn(6, 1), ...given })),
      );
    const [apart, together] = [of({}), of({ turns, baselineTurns: turns })];
    assert.ok(apart !== undefined && together !== undefined);
    assert.equal(together.spread.freedom <= 10 && apart.spread.freedom > 50, true);
    near(together.ratio.value, 1.5, 0.01);
  });

  test('of thousands of values takes no longer than of hundreds, and is as sure', () => {
    const contrast = contrastOf([{ values: drawn(20_000, 2), baseline: drawn(20_000, 1) }]);
    assert.ok(contrast !== undefined);
    near(contrast.ratio.value, 2, 1e-3);
    assert.ok(contrast.ratio.low > 1.99 && contrast.ratio.high < 2.01);
  });

  test('of two contrasts has an interval as wide as both together', () => {
    const [a, b] = [2, 4].map((factor) =>
      contrastOf([{ values: drawn(8, factor), baseline: drawn(8, 1) }], HALF_CONFIDENCE),
    );
    assert.ok(a !== undefined && b !== undefined);
    const { ratio } = quotientOf(a, b);
    near(ratio.value, 0.5, 0.02);
    assert.deepEqual([ratio.low, ratio.high], [a.ratio.low / b.ratio.high, a.ratio.high / b.ratio.low]);
    assert.ok(ratio.confidence >= 0.95);
  });

  test('among many that are nothing stands only when it is more than chance finds somewhere', () => {
    const noisy = () => Array.from({ length: 6 }, () => Math.exp(0.3 * (random() + random() - 1)));
    const nothing = Array.from({ length: 300 }, () => contrastOf([{ values: noisy(), baseline: noisy() }]));
    const real = contrastOf([{ values: drawn(6, 1.3), baseline: drawn(6, 1) }]);
    const all = [real, ...nothing].filter((one) => one !== undefined);
    const [first, ...rest] = judge(all);
    assert.deepEqual(first, { alone: 'larger', among: 'larger' });
    assert.ok(
      rest.some(({ alone }) => alone === 'larger' || alone === 'smaller'),
      'chance finds some alone',
    );
    assert.ok(rest.every(({ among }) => among === 'open' || among === 'same'));
  });
});
