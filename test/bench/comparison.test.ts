import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { allKept, conclude } from '../../bench/comparison.ts';
import { recordedComparison } from '../helpers/repository-result.ts';

const upTo = (count: number, factor = 1) => Array.from({ length: count }, (_, index) => (index + 1) * factor);

describe('conclude', () => {
  test('gives medians with the order statistics that hold them in 95 %', () => {
    const { figures } = conclude(
      recordedComparison({ name: 'n' }, { ten: upTo(10).reverse(), three: [7, 9, 8] }),
    );
    assert.deepEqual(
      figures.map(({ name, median, least, greatest, runs, isFew }) => [
        ...[name, median.value, median.low, median.high, least, greatest, runs, isFew],
      ]),
      [
        ['ten', 5.5, 2, 9, 1, 10, 10, false],
        ['three', 8, 7, 9, 7, 9, 3, true],
      ],
    );
  });

  test('counts what was disturbed, and keeps it', () => {
    const one = recordedComparison({ name: 'n' }, { ours: [1, 2, 30] });
    const [series] = one.series;
    const samples = series?.samples.map((sample) =>
      sample.value > 2 ? { ...sample, disturbed: ['load' as const] } : sample,
    );
    const [figure] = conclude({ ...one, series: [{ name: 'ours', samples: samples ?? [] }] }).figures;
    assert.deepEqual([figure?.disturbed, figure?.greatest], [1, 30]);
  });

  test('holds a series against another by the median of all ratios, and tells where the interval holds the limit', () => {
    const claims = [
      { series: 'ours', baseline: 'theirs', limit: 0.6 },
      { series: 'ours', baseline: 'theirs', limit: 0.59 },
      { series: 'ours', baseline: 'theirs', limit: 0.4 },
      { series: 'ours', baseline: 'theirs', limit: 5 },
      { series: 'theirs', baseline: 'ours' },
    ];
    const values = { ours: [5, 6, 50], theirs: [10, 10, 10] };
    const { verdicts } = conclude(recordedComparison({ name: 'n', claims }, values));
    assert.deepEqual(
      verdicts.map(({ value, ratio, kept, isOpen }) => [value, ratio?.low, ratio?.high, kept, isOpen]),
      [
        [0.6, 0.5, 5, true, true],
        [0.6, 0.5, 5, false, true],
        [0.6, 0.5, 5, false, false],
        [0.6, 0.5, 5, true, false],
        [10 / 6, 0.2, 2, undefined, false],
      ],
    );
  });

  test('finds the factor of a series that is another one stretched, within an interval that excludes none', () => {
    const claims = [{ series: 'ours', baseline: 'theirs' }];
    const theirs = upTo(30).map((value) => 100 + value);
    const values = { ours: theirs.map((value) => value / 2), theirs };
    const [verdict] = conclude(recordedComparison({ name: 'n', claims }, values)).verdicts;
    assert.ok(Math.abs((verdict?.value ?? 0) - 0.5) < 0.001);
    assert.ok(verdict?.ratio !== undefined && verdict.ratio.low > 0.46 && verdict.ratio.high < 0.54);
  });

  test('holds the worst value against a limit of its own', () => {
    const claims = [{ series: 'ours', limit: 49 }];
    const [verdict] = conclude(recordedComparison({ name: 'n', claims }, { ours: [5, 6, 50] })).verdicts;
    assert.deepEqual([verdict?.value, verdict?.ratio, verdict?.kept], [50, undefined, false]);
  });

  test('throws on a claim about what was not measured', () => {
    const one = recordedComparison({ name: 'n', claims: [{ series: 'nobody' }] }, { ours: [1] });
    assert.throws(() => conclude(one), /n: nothing measured nobody/);
  });
});

test('allKept fails for one missed limit', () => {
  const kept = recordedComparison({ name: 'n', claims: [{ series: 'ours', limit: 2 }] }, { ours: [1, 2] });
  const missed = recordedComparison({ name: 'm', claims: [{ series: 'ours', limit: 1 }] }, { ours: [1, 2] });
  assert.equal(allKept([kept, recordedComparison({ name: 'o' }, {})]), true);
  assert.equal(allKept([kept, missed]), false);
});
