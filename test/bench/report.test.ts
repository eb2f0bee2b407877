import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { allKept, type Comparison, conclude } from '../../bench/comparison.ts';
import { formatComparison, formatLimits, formatValue } from '../../bench/report.ts';
import { choose } from '../../bench/workloads/index.ts';

const comparison: Comparison = conclude({
  name: 'run',
  title: 'run IMAGE true',
  unit: 'ms',
  values: new Map([
    ['docker', [190, 200, 210]],
    ['tsengine', [99.96, 120, 130]],
  ]),
  claims: [
    { series: 'tsengine', baseline: 'docker', limit: 0.6 },
    { series: 'docker', baseline: 'tsengine' },
    { series: 'tsengine', limit: 100 },
  ],
  notes: ['warm'],
});

describe('the report', () => {
  test('shows series with their spread, ratios, limits and what was missed', () => {
    assert.deepEqual(formatComparison(comparison).split('\n'), [
      'run IMAGE true',
      '  (warm)',
      '                             median        p10        p90        min        max       runs',
      '  docker                     200 ms     192 ms     208 ms     190 ms     210 ms          3',
      '  tsengine                   120 ms     104 ms     128 ms     100 ms     130 ms          3',
      '  tsengine / docker            0.60  limit 0.60: kept',
      '  docker / tsengine            1.67',
      '  tsengine                   130 ms  limit 100 ms: MISSED',
      '',
    ]);
  });

  test('ends with the limits alone', () => {
    assert.deepEqual(formatLimits([comparison]).split('\n'), [
      'run IMAGE true: tsengine / docker       0.60  limit 0.60: kept',
      'run IMAGE true: tsengine              130 ms  limit 100 ms: MISSED',
      '',
    ]);
    assert.equal(formatLimits([]), '');
  });

  test('gives figures the digits that mean something', () => {
    assert.equal(formatValue(9.96, 'ms'), '10.0 ms');
    assert.equal(formatValue(99.94, 'MiB'), '99.9 MiB');
    assert.equal(formatValue(99.96, 'ms'), '100 ms');
    assert.equal(formatValue(1234.5, 'ms'), '1235 ms');
    assert.equal(formatValue(2, 'processes'), '2');
  });

  test('fails for one missed limit', () => {
    assert.equal(allKept([comparison]), false);
    assert.equal(allKept([{ ...comparison, verdicts: comparison.verdicts.slice(0, 2) }]), true);
  });
});

test('--only takes names of workloads and says which there are', () => {
  assert.deepEqual(
    choose(['load', 'run']).map(({ name }) => name),
    ['run', 'load'],
  );
  assert.ok(choose([]).length > 2);
  assert.throws(() => choose(['load', 'laod']), /no workload laod: --only takes .*\bload\b/);
});
