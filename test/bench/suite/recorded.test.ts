/**
 * Results that were measured, of which the answers are known: a driver that a layer of FUSE slows down and the same one under two
 * names, overlay2 and btrfs with a file of 4 KiB and one of 64 MiB, and devicemapper with the same in a machine of the lab.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compareResults } from '../../../bench/suite/compare/compare.ts';
import { type ClaimVerdict, judgeClaims } from '../../../bench/suite/report/claims/claims.ts';
import { figuresOf } from '../../../bench/suite/report/figures.ts';
import { reportOf } from '../../../bench/suite/report/report.ts';
import { readResult } from '../../../bench/suite/result-file.ts';
import type { Result } from '../../../bench/suite/schema.ts';
import { ratioEstimate, verdictOf } from '../../../bench/suite/statistics.ts';

function recorded(name: string): Result {
  return readResult(join(import.meta.dirname, '../../fixtures/bench', `${name}.json`));
}

describe('a driver that was slowed down, and one under two names', () => {
  const result = recorded('self-test');
  const workload = 'large.write.seq.fsync';
  const values = (id: string): readonly number[] => figuresOf(result).of(id, workload)[0]?.values ?? [];

  test('are told apart, and not told apart, by the statistics', () => {
    const slowed = ratioEstimate(values('vfs-slowed@ext4'), values('vfs@ext4'));
    assert.equal(verdictOf(slowed, 1.05), 'smaller');
    const again = ratioEstimate(values('vfs-again@ext4'), values('vfs@ext4'));
    assert.equal(verdictOf(again, 1.05), 'open');
    assert.ok(again.low < 1 && again.high > 1);
  });

  test('are so in the words of the report', () => {
    const found = reportOf(result).advice.find(({ topic }) => topic.workloads.includes(workload));
    assert.equal(found?.answer, 'better');
    assert.match(found.text, /^vfs(-again)?@ext4 3\d\.\d times vfs-slowed@ext4 \(\d+\.\d to \d+\.\d\); /);
    assert.doesNotMatch(found.text, / times vfs(-again)?@ext4 \(/, 'the twin is not worse');
    // One turn of the others says nothing, whatever it looks like.
    const others = reportOf(result).advice.filter((one) => one !== found);
    assert.deepEqual([...new Set(others.map(({ answer }) => answer))], ['few']);
  });

  test('are a regression, and none, between two results', () => {
    /** As if one of them had been measured as vfs. */
    const as = (id: string): Result => ({
      ...result,
      subjects: result.subjects.filter((one) => one.id === 'raw@ext4' || one.id === 'vfs@ext4'),
      series: result.series.flatMap((one) => (one.subject === id ? [{ ...one, subject: 'vfs@ext4' }] : [])),
    });
    const worse = compareResults(as('vfs@ext4'), as('vfs-slowed@ext4')).changes.filter(
      ({ sort }) => sort === 'worse',
    );
    assert.deepEqual(
      worse.map((change) => change.workload.id),
      [workload],
    );
    const twin = compareResults(as('vfs@ext4'), as('vfs-again@ext4'));
    assert.equal(twin.regressions, 0);
    assert.ok(twin.changes.every(({ sort }) => sort === 'open' || sort === 'same'));
  });
});

describe('the first claim', () => {
  const [here, far] = [recorded('copy-up'), recorded('devicemapper')];
  const both: Result = {
    ...here,
    machines: [...here.machines, ...far.machines],
    subjects: [...here.subjects, ...far.subjects],
    series: [...here.series, ...far.series.filter(({ workload }) => workload.startsWith('copy-up'))],
  };
  const claim = (result: Result): ClaimVerdict => {
    const [first] = judgeClaims(figuresOf(result));
    assert.ok(first !== undefined);
    return first;
  };
  /** As if another driver had been called overlay2. */
  const swapped: Result = {
    ...both,
    series: both.series.flatMap((one) => {
      if (one.subject === 'overlay2@ext4') return [];
      return one.subject === 'btrfs@btrfs' ? [{ ...one, subject: 'overlay2@ext4' }] : [one];
    }),
  };

  test('holds by what was measured', () => {
    const found = claim(both);
    assert.equal(found.verdict, 'holds', found.figures.map(({ text }) => text).join('; '));
    assert.match(
      found.figures[0]?.text ?? '',
      /^overlay2 .* at 4 KiB, .* at 64 MiB .*, for which it wrote 64\.\d MiB /,
    );
  });

  test('does not hold of a driver that copies only what is written', () => {
    const found = claim(swapped);
    assert.equal(found.verdict, 'does not hold');
    assert.deepEqual(
      found.figures.map(({ answer }) => answer),
      ['no', 'yes'],
    );
  });

  test('has no verdict without devicemapper, and none by one turn', () => {
    const alone = claim(here);
    assert.deepEqual(
      [alone.verdict, alone.change],
      ['not measurable here', 'It needs devicemapper, which was not measured.'],
    );
    assert.deepEqual(
      alone.figures.map(({ answer }) => answer),
      ['yes'],
    );
    const once: Result = {
      ...both,
      series: both.series.map((one) => ({
        ...one,
        samples: one.samples.filter(({ turn }) => turn === one.samples[0]?.turn),
      })),
    };
    const few = claim(once);
    assert.equal(few.verdict, 'not measurable here');
    assert.match(few.change, /^It needs (more turns of|first writes of) overlay2/);
  });
});
