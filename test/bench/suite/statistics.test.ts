import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomFrom, shuffled } from '../../../bench/suite/random.ts';
import {
  isPrecise,
  median,
  medianEstimate,
  ratioEstimate,
  verdictOf,
} from '../../../bench/suite/statistics.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const near = (found: number, expected: number): void =>
  assert.ok(Math.abs(found - expected) < 5e-4, `${found} is not ${expected}`);

describe('the median', () => {
  it('is the middle one, or between the two in the middle, in any order', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.ok(Number.isNaN(median([])));
  });

  it('lies between the order statistics that tables of the sign test name', () => {
    // Hollander and Wolfe's table: n, the rank of the lower end, the confidence.
    for (const [n, rank, confidence] of [
      [5, 1, 0.9375],
      [6, 1, 0.9688],
      [8, 1, 0.9922],
      [9, 2, 0.9609],
      [10, 2, 0.9785],
      [20, 6, 0.9586],
    ] as const) {
      const found = medianEstimate(upTo(n));
      assert.deepEqual([found.low, found.high], [rank, n + 1 - rank], `n = ${n}`);
      near(found.confidence, confidence);
    }
  });

  it('of one value is that value, and sure of nothing', () => {
    assert.deepEqual(medianEstimate([7]), { value: 7, low: 7, high: 7, confidence: 0 });
    assert.equal(medianEstimate([]).confidence, 0);
  });

  it('is precise when the interval is narrow and sure enough', () => {
    assert.ok(isPrecise([100, 101, 99, 100, 102, 98], 0.05));
    assert.ok(!isPrecise([100, 101, 99, 100, 120, 98], 0.05));
    assert.ok(!isPrecise([100, 100, 100], 0.05));
  });
});

describe('the ratio of two', () => {
  it('has the interval of the rank-sum test', () => {
    near(ratioEstimate([1, 2, 3], [4, 5, 6]).confidence, 0.9);
    near(ratioEstimate([1, 2, 3, 4], [5, 6, 7, 8]).confidence, 0.9714);
    // Critical value of U for 10 and 10 values, two-sided 5 %: 23. So the 24th ratio from either end.
    const [values, baseline] = [upTo(10).map((x) => x + 0.5), upTo(10)];
    const all = values.flatMap((x) => baseline.map((y) => x / y)).sort((a, b) => a - b);
    const found = ratioEstimate(values, baseline);
    assert.deepEqual([found.low, found.high], [all[23], all[76]]);
  });

  it('of many values agrees with the normal approximation', () => {
    const [exact, normal] = [30, 31].map((n) => ratioEstimate(upTo(n), upTo(30)));
    assert.ok(Math.abs((exact?.low ?? 0) - (normal?.low ?? 0)) < 0.05);
    assert.ok(Math.abs((exact?.high ?? 0) - (normal?.high ?? 0)) < 0.1);
  });

  it('holds the true factor as often as it says, with long tails and few values', () => {
    const random = randomFrom(20261130);
    const drawn = (count: number, scale: number): number[] =>
      Array.from({ length: count }, () => scale * (1 + 0.1 * -Math.log(1 - random())));
    for (const count of [4, 7, 12]) {
      const [trials, factor] = [2000, 1.8];
      let held = 0;
      let promised = 0;
      for (let trial = 0; trial < trials; trial++) {
        const { low, high, confidence } = ratioEstimate(drawn(count, factor), drawn(count, 1));
        if (low <= factor && factor <= high) held += 1;
        promised = confidence;
      }
      assert.ok(Math.abs(held / trials - promised) < 0.02, `${count}: ${held / trials}, not ${promised}`);
    }
  });
});

describe('a verdict', () => {
  const of = (values: number[], baseline: number[]) => verdictOf(ratioEstimate(values, baseline), 1.05);

  it('is given where the whole interval is on one side of the margin', () => {
    assert.equal(of([20, 21, 22, 23], [10, 10.1, 10.2, 10.3]), 'larger');
    assert.equal(of([10, 10.1, 10.2, 10.3], [20, 21, 22, 23]), 'smaller');
    assert.equal(of([10, 10.1, 10.2, 10.3], [10.1, 10, 10.3, 10.2]), 'same');
  });

  it('is left open where values are too few or too far apart', () => {
    assert.equal(of([20, 21, 22], [10, 10.1, 10.2]), 'open');
    assert.equal(of([8, 12, 9, 13], [10, 10.1, 10.2, 10.3]), 'open');
    assert.equal(of([], []), 'open');
  });
});

describe('random numbers', () => {
  it('are the same for the same seed', () => {
    const [first, again, other] = [7, 7, 8].map((seed) => shuffled(upTo(50), randomFrom(seed)));
    assert.deepEqual(first, again);
    assert.notDeepEqual(first, other);
    assert.deepEqual(
      first?.toSorted((a, b) => a - b),
      upTo(50),
    );
  });

  it('fill the range evenly', () => {
    const random = randomFrom(1);
    const counts = new Array<number>(10).fill(0);
    for (let n = 0; n < 10_000; n++) {
      const at = Math.floor(random() * 10);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    assert.ok(
      counts.every((count) => count > 900 && count < 1100),
      counts.join(' '),
    );
  });
});
