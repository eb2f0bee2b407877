/**
 * Results that were measured, of which the answers are known: a driver that a layer of FUSE slows down and the same one under two
 * names, and overlay2 that changes a byte of a file of 4 KiB and of one of 64 MiB.
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
    const others = reportOf(result).advice.filter(({ topic }) => topic !== found.topic);
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

describe('a claim', () => {
  const judged = (result: Result, number: number): ClaimVerdict => {
    const found = judgeClaims(figuresOf(result)).find((one) => one.number === number);
    assert.ok(found !== undefined);
    return found;
  };
  const answers = ({ figures }: ClaimVerdict): readonly string[] => figures.map(({ answer }) => answer);

  /** As if what was measured of one had been what zfs and btrfs read before they were written over, and of another one after. */
  const reads = (before: string, after: string): ClaimVerdict => {
    const result = recorded('self-test');
    const [vfs] = result.subjects.filter(({ driver }) => driver === 'vfs');
    const [workload] = result.workloads.filter(({ id }) => id === 'large.write.seq.fsync');
    assert.ok(vfs !== undefined && workload !== undefined);
    const drivers = ['zfs', 'btrfs'];
    const named = { 'churn.read.before': before, 'churn.read.after': after };
    return judged(
      {
        ...result,
        subjects: drivers.map((driver) => ({ ...vfs, id: driver, driver, baseline: null })),
        workloads: Object.keys(named).map((id) => ({ ...workload, id })),
        series: drivers.flatMap((driver) =>
          Object.entries(named).flatMap(([id, source]) =>
            result.series
              .filter((one) => one.subject === source && one.workload === workload.id)
              .map((one) => ({ ...one, subject: driver, workload: id, point: {} })),
          ),
        ),
      },
      8,
    );
  };

  test('holds where a delay was put in', () => {
    const found = reads('vfs@ext4', 'vfs-slowed@ext4');
    assert.deepEqual([found.verdict, answers(found)], ['holds', ['yes', 'yes']]);
    assert.match(
      found.figures[0]?.text ?? '',
      /^zfs 1\.\d\d GiB\/s .* before, 3\d\.\d MiB\/s .* after: 3\d\.\d times /,
    );
  });

  test('does not hold where it was taken away', () => {
    const found = reads('vfs-slowed@ext4', 'vfs@ext4');
    assert.deepEqual([found.verdict, answers(found)], ['does not hold', ['no', 'no']]);
  });

  test('is left open by the same driver twice, which differs from itself by more than a tenth now and then', () => {
    const found = reads('vfs@ext4', 'vfs-again@ext4');
    assert.deepEqual([found.verdict, answers(found)], ['not measurable here', ['open', 'open']]);
    assert.match(
      found.change,
      /^It needs sequential reads of zfs before and after overwrites, four turns each or more/,
    );
  });

  test('has no verdict by three turns, however clear they look', () => {
    const found = judged(recorded('copy-up'), 1);
    assert.equal(found.verdict, 'not measurable here');
    assert.match(
      found.figures[0]?.text ?? '',
      /^overlay2 2\.\d\d ms .* at 4 KiB, 9\d\.\d ms .* at 64 MiB .*: 4\d\.\d times /,
    );
    assert.equal(
      found.change,
      'It needs devicemapper, which was not measured; first writes of overlay2 to files of two sizes, 256 times apart, four turns each or more.',
    );
  });
});
