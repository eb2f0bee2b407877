/** Results of which it is known what is true of each claim, and what is said of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CLAIMS, type ClaimVerdict, judgeClaims } from '../../../bench/suite/report/claims/claims.ts';
import { figuresOf } from '../../../bench/suite/report/figures.ts';
import {
  literature,
  type Making,
  machine,
  madeResult,
  subject,
  type Truth,
} from '../../helpers/bench-results.ts';

const MIB = 2 ** 20;

const drivers = [
  'overlay2@ext4',
  'aufs@ext4',
  'vfs@ext4',
  'vfs@xfs',
  'btrfs@btrfs',
  'zfs@zfs',
  'devicemapper@thin',
];
const raws = ['raw@ext4', 'raw@xfs', 'raw@btrfs', 'raw@zfs', 'raw@thin'];
const subjects = [...raws, ...drivers].map((id) => subject(id));
const everything = ['large', 'small', 'copy-up', 'layers', 'density', 'churn', 'parallel', 'database'];

function verdicts(given: Partial<Making> = {}): ClaimVerdict[] {
  const making = { subjects, workloads: everything, truth: literature, extent: 'usual' as const, samples: 7 };
  return judgeClaims(figuresOf(madeResult({ ...making, ...given })));
}

const words = (list: readonly ClaimVerdict[]): string[] =>
  list.map(({ number, verdict }) => `${number} ${verdict}`);

/** As the literature, but where `other` says something. */
const except =
  (other: Truth): Truth =>
  (...given) =>
    other(...given) ?? literature(...given);

describe('claims', () => {
  const all = verdicts();

  test('hold, all thirteen, where everything is as the literature has it', () => {
    assert.deepEqual(
      words(all),
      Array.from({ length: 13 }, (_, index) => `${index + 1} holds`),
    );
    for (const { figures, change } of all) {
      assert.ok(figures.length > 0 && figures.every((one) => /\d/.test(one)));
      assert.match(change, /\.$/);
    }
    assert.match(
      all[0]?.figures[0] ?? '',
      /^overlay2 .* from 4 KiB to 512 MiB \(size of the file\), \d+ times \(\d+ to \d+\)/,
    );
  });

  test('do not hold, each by itself, where one thing is otherwise', () => {
    const usual = (...given: Parameters<Truth>): number => literature(...given) ?? 0;
    const otherwise: Readonly<Record<number, Truth>> = {
      1: (one, id, point) =>
        one.driver === 'overlay2' && id === 'copy-up.byte.latency'
          ? usual(one, id, { ...point, lower: 4096 })
          : undefined,
      2: (one, id, point) =>
        one.driver === 'aufs' && id.startsWith('copy-up')
          ? usual(one, id, { ...point, depth: 1 })
          : undefined,
      3: (one, id, point) =>
        one.driver === 'devicemapper' && id.startsWith('large')
          ? usual(one, id, { ...point, size: 64 * MIB })
          : undefined,
      4: (one, id, point) =>
        one.driver === 'btrfs' && id.startsWith('large')
          ? usual(one, id, { ...point, size: 1024 * MIB })
          : undefined,
      5: (one, id, point) =>
        one.driver === 'zfs' && !id.startsWith('churn') && !id.startsWith('density')
          ? usual(subject('overlay2@ext4'), id, point)
          : undefined,
      6: (one, id, point) =>
        one.driver === 'aufs' && /^(large|small)\./.test(id)
          ? usual(subject('overlay2@ext4'), id, point)
          : undefined,
      7: (one, id) => (one.driver === 'btrfs' && id === 'density.page-cache' ? 256 * MIB : undefined),
      8: (one, id, point) =>
        one.driver === 'zfs' && id === 'churn.read.after'
          ? usual(one, 'churn.read.before', point)
          : undefined,
      9: (one, id) => (one.driver === 'btrfs' && id === 'churn.space' ? 0 : undefined),
      10: (one, id) => (one.driver === 'btrfs' && id === 'layers.build' ? 9000 : undefined),
      11: (one, id, point) =>
        one.driver === 'overlay2' && id === 'database.sqlite' ? usual(one, id, point) / 1.5 : undefined,
      12: (one, id) => (one.id === 'vfs@xfs' && id === 'density.disk' ? 300 * MIB : undefined),
      13: (one, id, point) =>
        one.driver === 'aufs' && id.startsWith('parallel.append')
          ? usual(subject('overlay2@ext4'), id, point)
          : undefined,
    };
    for (const claim of CLAIMS) {
      const truth = otherwise[claim.number];
      assert.ok(truth !== undefined);
      const found = verdicts({ truth: except(truth) }).find(({ number }) => number === claim.number);
      assert.equal(found?.verdict, 'does not hold', `${claim.number}: ${found?.figures.join('; ')}`);
    }
  });

  test('have no verdict where the samples are too few, and say what is missing', () => {
    for (const { verdict, change } of verdicts({ samples: 2, extent: 'quick' })) {
      // Medians over many workloads need few samples each.
      if (verdict === 'not measurable here') assert.match(change, /^It needs .*\.$/);
    }
    const few = new Set(words(verdicts({ samples: 2, extent: 'quick' })));
    for (const number of [1, 2, 7, 8, 9, 10, 13])
      assert.ok(few.has(`${number} not measurable here`), `${number}`);
  });

  test('have no verdict where the driver was not measured', () => {
    const few = verdicts({ subjects: [subject('raw@ext4'), subject('overlay2@ext4'), subject('vfs@ext4')] });
    assert.deepEqual(
      few.filter(({ verdict }) => verdict !== 'not measurable here').map(({ number }) => number),
      [11],
    );
    assert.match(few[0]?.change ?? '', /devicemapper, which was not measured/);
    assert.match(few[0]?.figures[0] ?? '', /^overlay2 /, 'what is known is told all the same');
    const nothing = verdicts({ workloads: ['harness'] });
    assert.ok(nothing.every(({ verdict }) => verdict === 'not measurable here'));
  });

  test('are not about what stands in for a driver, which is told apart', () => {
    const standing = subjects.map((one) =>
      one.driver === 'aufs' ? { ...one, standIn: 'fuse-overlayfs' } : one,
    );
    const found = verdicts({ subjects: standing });
    for (const number of [2, 6, 13]) {
      const claim = found.find((one) => one.number === number);
      assert.equal(claim?.verdict, 'not measurable here');
      assert.match(
        claim.standIn,
        /^With fuse-overlayfs in the place of aufs it holds: aufs \(fuse-overlayfs\)|^With fuse-overlayfs in the place of aufs it holds: reads aufs/,
      );
    }
    assert.equal(found[0]?.standIn, '');
  });

  test('on drivers of a virtual machine are judged by the raw filesystem there', () => {
    const lab = machine({ id: 'debian:6.1', isVirtual: true });
    const moved = subjects.map((one) => {
      if (one.backing !== 'zfs') return one;
      return subject(`${one.id}+debian:6.1`);
    });
    // There everything takes five times as long.
    const slow: Truth = (one, id, point) => {
      const value = literature(one, id, point);
      if (
        value === undefined ||
        one.machine === 'host' ||
        !/^(large|small|layers|parallel|database)/.test(id)
      )
        return value;
      return id.startsWith('layers') || id === 'small.untar' || id === 'small.walk' ? value * 5 : value / 5;
    };
    const found = verdicts({ subjects: moved, truth: slow, machines: [machine(), lab] });
    assert.equal(found[4]?.verdict, 'holds');
    assert.match(found[4]?.figures[0] ?? '', /zfs 0\.\d+ times overlay2 † \(/);
    const equal: Truth = (one, id, point) =>
      one.driver === 'zfs' ? slow({ ...one, driver: 'overlay2' }, id, point) : slow(one, id, point);
    assert.equal(
      verdicts({ subjects: moved, truth: equal, machines: [machine(), lab] })[4]?.verdict,
      'does not hold',
    );
  });
});
