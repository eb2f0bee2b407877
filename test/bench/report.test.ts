import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatComparison, formatLimits, formatMachine, formatMissing } from '../../bench/report.ts';
import { choose } from '../../bench/workloads/index.ts';
import { recordedComparison, recordedResult } from '../helpers/repository-result.ts';

const comparison = recordedComparison(
  {
    ...{ name: 'run', title: 'run IMAGE true', notes: ['warm'] },
    claims: [
      { series: 'tsengine', baseline: 'docker', limit: 0.6 },
      { series: 'docker', baseline: 'tsengine' },
      { series: 'tsengine', limit: 100 },
    ],
  },
  { docker: [190, 200, 210], tsengine: [99.96, 120, 130] },
);

describe('the report', () => {
  test('shows series with their intervals, ratios, limits and what was missed', () => {
    assert.deepEqual(formatComparison(comparison).split('\n'), [
      'run IMAGE true',
      '  (warm)',
      '                             median       from         to      least   greatest       runs',
      '  docker                     200 ms     190 ms     210 ms     190 ms     210 ms         3*',
      '  tsengine                   120 ms   100.0 ms     130 ms   100.0 ms     130 ms         3*',
      '  tsengine / docker            0.60 (0.48 to 0.68)  limit 0.60: kept, within the interval',
      '  docker / tsengine            1.67 (1.46 to 2.10)',
      '  tsengine                   130 ms  limit 100 ms: MISSED',
      '',
    ]);
  });

  test('names the machine of the lab that something was measured in, and what was disturbed', () => {
    const [docker, tsengine] = comparison.series;
    const samples = tsengine?.samples.map((sample) => ({ ...sample, disturbed: ['steal' as const] })) ?? [];
    const text = formatComparison({
      ...{ ...comparison, machine: 'debian:6.1' },
      series: [...(docker === undefined ? [] : [docker]), { name: 'tsengine', samples }],
    });
    assert.match(text, /^ {2}\(in a machine with debian:6\.1\)$/m);
    assert.match(text, /^ {2}tsengine .* 3\* {2}~3 disturbed$/m);
  });

  test('ends with the limits alone', () => {
    assert.deepEqual(formatLimits([comparison]).split('\n'), [
      'run IMAGE true: tsengine / docker       0.60 (0.48 to 0.68)  limit 0.60: kept, within the interval',
      'run IMAGE true: tsengine              130 ms  limit 100 ms: MISSED',
      '',
    ]);
    assert.equal(formatLimits([]), '');
  });

  test('says in one line what was not measured, and why', () => {
    const reason = 'podman is\nnot installed';
    assert.equal(
      formatMissing({ workload: 'run', series: 'podman', reason }),
      'run: podman: not measured: podman is not installed\n',
    );
    assert.equal(
      formatMissing({ workload: 'run', series: null, reason }),
      'run: could not be measured: podman is not installed\n',
    );
  });

  test('begins with the machine and the programs', () => {
    const [machine] = recordedResult([]).machines;
    assert.ok(machine !== undefined);
    assert.deepEqual(formatMachine(machine).split('\n'), [
      'Linux 6.18.44, 2 × AMD EPYC, 8 GiB, load before 0.25',
      'stores with direct I/O in files on ext4, /dev/vda',
      '  docker    20.10.24',
      '  podman    4.3.1',
      '  node      v24.21.0',
      '  unpigz    none',
      '',
    ]);
  });
});

test('--only takes names of workloads, adds that of the harness, and says which there are', () => {
  assert.deepEqual(
    choose(['load', 'run']).map(({ name }) => name),
    ['harness', 'run', 'load'],
  );
  assert.ok(choose([]).length > 3);
  assert.throws(() => choose(['load', 'laod']), /no workload laod: --only takes .*\bload\b/);
});
