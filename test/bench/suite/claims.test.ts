/** Results of which it is known what is true of each claim, and what is said of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CLAIMS, type ClaimVerdict, judgeClaims } from '../../../bench/suite/report/claims/claims.ts';
import { figuresOf } from '../../../bench/suite/report/figures.ts';
import type { Subject } from '../../../bench/suite/schema.ts';
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
      assert.ok(
        figures.length > 0 && figures.every(({ text, answer }) => /\d/.test(text) && answer === 'yes'),
      );
      // No figure without its spread.
      for (const { text } of figures) assert.match(text, /\(.* to .*\)/);
      assert.match(change, /\.$/);
    }
    assert.match(
      all[0]?.figures[0]?.text ?? '',
      /^overlay2 1\.\d\d ms \(1\.\d\d to 1\.\d\d\) at 4 KiB, 5\d\d ms \(\d+ to \d+\) at 512 MiB \(size of the file\): \d+ times \(\d+ to \d+\), for which it wrote 5\d\d MiB \(\d+ to \d+\) to disk$/,
    );
  });

  test('do not hold, each by itself, where one thing is otherwise', () => {
    const usual = (...given: Parameters<Truth>): number => literature(...given) ?? 0;
    const fast = (...[, id, point]: Parameters<Truth>): number => usual(subject('overlay2@ext4'), id, point);
    const is = (driver: string, start: string, one: Subject, id: string): boolean =>
      one.driver === driver && id.startsWith(start);
    // Each half of each claim.
    const otherwise: Readonly<Record<number, readonly Truth[]>> = {
      1: [
        (one, id, point) =>
          is('overlay2', 'copy-up.byte.latency', one, id)
            ? usual(one, id, { ...point, lower: 4096 })
            : undefined,
        (one, id, point) =>
          is('devicemapper', 'copy-up.byte.latency', one, id) ? fast(one, id, point) : undefined,
      ],
      2: [
        (one, id, point) =>
          is('aufs', 'copy-up', one, id) ? usual(one, id, { ...point, depth: 1 }) : undefined,
        (one, id, point) =>
          is('overlay2', 'copy-up', one, id) ? usual(subject('aufs@ext4'), id, point) : undefined,
      ],
      3: [
        (one, id, point) =>
          is('devicemapper', 'large', one, id) ? usual(one, id, { ...point, size: 64 * MIB }) : undefined,
        (one, id, point) =>
          is('devicemapper', 'large', one, id) ? usual(one, id, { ...point, size: 1024 * MIB }) : undefined,
      ],
      4: [
        (one, id, point) =>
          is('btrfs', 'large', one, id) ? usual(one, id, { ...point, size: 1024 * MIB }) : undefined,
        (one, id, point) =>
          is('btrfs', 'large', one, id) ? usual(one, id, { ...point, size: 64 * MIB }) : undefined,
      ],
      5: [
        (one, id, point) =>
          one.driver === 'zfs' && !/^(churn|density)/.test(id) ? fast(one, id, point) : undefined,
      ],
      6: [
        (one, id, point) => (one.driver === 'aufs' && /read/.test(id) ? fast(one, id, point) : undefined),
        (one, id, point) =>
          one.driver === 'aufs' && /write|create|untar/.test(id) ? fast(one, id, point) : undefined,
      ],
      7: [
        (one, id) => (is('btrfs', 'density.page-cache', one, id) ? 256 * MIB : undefined),
        (one, id) => (is('devicemapper', 'density.page-cache', one, id) ? 256 * MIB : undefined),
        (one, id, { containers = 1 }) =>
          is('overlay2', 'density.page-cache', one, id) ? 256 * MIB * containers : undefined,
        (one, id, { containers = 1 }) =>
          is('zfs', 'density.page-cache', one, id) ? 256 * MIB * containers : undefined,
      ],
      8: ['zfs', 'btrfs'].map(
        (driver): Truth =>
          (one, id, point) =>
            is(driver, 'churn.read.after', one, id) ? usual(one, 'churn.read.before', point) : undefined,
      ),
      9: ['devicemapper', 'btrfs'].map(
        (driver): Truth =>
          (one, id) =>
            is(driver, 'churn.space', one, id) ? 0 : undefined,
      ),
      10: [(one, id) => (is('btrfs', 'layers.build', one, id) ? 9000 : undefined)],
      11: [
        (one, id, point) =>
          is('overlay2', 'database.sqlite', one, id) ? usual(one, id, point) / 1.5 : undefined,
        // Better than what is to be the upper bound.
        (one, id, point) =>
          one.driver === 'overlay2' && /^(large|small\.(create|read|stat|list)|database|parallel)/.test(id)
            ? usual(one, id, point) * 1.3
            : undefined,
      ],
      12: [
        (one, id) => (one.id === 'vfs@xfs' && id === 'density.disk' ? 300 * MIB : undefined),
        (one, id) => (one.id === 'vfs@ext4' && id === 'density.disk' ? MIB : undefined),
      ],
      13: [
        (one, id, point) => (is('aufs', 'parallel.append', one, id) ? fast(one, id, point) : undefined),
        (one, id, point) =>
          is('vfs', 'parallel.append', one, id) ? usual(subject('aufs@ext4'), id, point) : undefined,
        (one, id, point) =>
          is('aufs', 'parallel.append-to-big-files', one, id)
            ? usual(one, 'parallel.append-to-file-tree', point) / (point.parallel ?? 1)
            : undefined,
      ],
    };
    for (const claim of CLAIMS) {
      const truths = otherwise[claim.number] ?? [];
      assert.ok(truths.length > 0);
      for (const [index, truth] of truths.entries()) {
        const found = verdicts({ truth: except(truth) }).find(({ number }) => number === claim.number);
        const said = found?.figures.map(({ text }) => text).join('; ');
        assert.equal(found?.verdict, 'does not hold', `${claim.number}, ${index}: ${said}`);
        assert.ok(found.figures.some(({ answer }) => answer === 'no'));
      }
    }
  });

  test('have no verdict, none of them, where the turns are too few, and say what is missing', () => {
    for (const extent of ['quick', 'usual'] as const)
      for (const { number, verdict, change } of verdicts({ samples: 2, extent })) {
        assert.equal(verdict, 'not measurable here', `${number}`);
        assert.match(change, /^It needs .*\.$/);
      }
  });

  test('on depth look at small files: in a large one the copy hides what it takes to find it', () => {
    const truth: Truth = (one, id, point) => {
      if (one.driver !== 'aufs' || id !== 'copy-up.byte.latency') return undefined;
      return 1 + (point.lower ?? 0) / MIB + 0.05 * (point.depth ?? 1);
    };
    const found = verdicts({ truth: except(truth) });
    assert.equal(found[1]?.verdict, 'holds');
    assert.match(
      found[1]?.figures[0]?.text ?? '',
      /^aufs 1\.\d\d ms .* at 1, 6\.\d\d ms .* at 100 \(layers below/,
    );
  });

  test('tell where the stores of one driver differ', () => {
    const linked: Truth = (one, id, point) =>
      one.id === 'overlay2@xfs' && id.startsWith('copy-up')
        ? literature(one, id, { ...point, lower: 4096 })
        : undefined;
    const found = verdicts({ truth: except(linked), subjects: [...subjects, subject('overlay2@xfs')] });
    assert.equal(found[0]?.verdict, 'does not hold');
    assert.equal(
      found[0]?.depends,
      'It depends on the store: so it is of overlay2@ext4, and not of overlay2@xfs.',
    );
    assert.deepEqual(
      found[0]?.figures.map(({ answer }) => answer),
      ['yes', 'no', 'yes'],
    );
    assert.equal(found[7]?.depends, '');
  });

  test('compare two drivers at as many processes as both got to', () => {
    // Nothing to see at ten, and vfs got no further.
    const truth: Truth = (one, id, { parallel = 1 }) => {
      if (!id.startsWith('parallel.append')) return undefined;
      if (one.driver === 'vfs' && parallel > 10) return Number.NaN;
      return one.driver === 'aufs' && parallel > 10 ? 100 : 20_000;
    };
    const given = {
      subjects,
      workloads: ['parallel'],
      truth: except(truth),
      extent: 'usual' as const,
      samples: 7,
    };
    const made = madeResult(given);
    const series = made.series.filter(({ samples }) => samples.every(({ value }) => !Number.isNaN(value)));
    const claim = judgeClaims(figuresOf({ ...made, series }))[12];
    assert.equal(claim?.verdict, 'does not hold');
    assert.match(
      claim.figures.find(({ text }) => text.endsWith('as much as vfs@ext4'))?.text ?? '',
      /slows down \d\.\d\d times \([\d.]+ to [\d.]+\) by 10 processes, (0\.9|1\.0)\d times /,
    );
  });

  test('of drivers that were measured in another engine only are told apart', () => {
    const docker = subject('docker-overlay2@ext4', {
      kind: 'peer',
      engine: 'docker',
      driver: 'overlay2',
      baseline: 'raw@ext4',
    });
    const others = subjects.filter(({ driver }) => driver !== 'overlay2');
    const found = verdicts({ subjects: [...others, docker] });
    for (const number of [1, 2, 7, 11]) {
      const claim = found.find((one) => one.number === number);
      assert.equal(claim?.verdict, 'not measurable here', `${number}`);
      assert.match(claim.change, /^It needs overlay2, which was not measured[.;]/);
      assert.match(
        claim.standIn,
        /^With overlay2 of docker in the place of ours it holds: .*docker-overlay2@ext4.*\.$/,
      );
    }
    // Nor is one of ours that failed at everything.
    const failed = madeResult({
      ...{ subjects: [...subjects, docker], workloads: everything, truth: literature, samples: 7 },
      extent: 'usual',
    });
    const without = {
      ...failed,
      series: failed.series.map((one) => (one.subject === 'overlay2@ext4' ? { ...one, samples: [] } : one)),
    };
    assert.match(judgeClaims(figuresOf(without))[0]?.standIn ?? '', /^With overlay2 of docker /);
    // Beside ours it has no say.
    assert.ok(
      judgeClaims(figuresOf(failed)).every(({ verdict, standIn }) => verdict === 'holds' && standIn === ''),
    );
  });

  test('have no verdict where the driver was not measured', () => {
    const few = verdicts({ subjects: [subject('raw@ext4'), subject('overlay2@ext4'), subject('vfs@ext4')] });
    assert.deepEqual(
      few.filter(({ verdict }) => verdict !== 'not measurable here').map(({ number }) => number),
      [11],
    );
    assert.match(few[0]?.change ?? '', /devicemapper, which was not measured/);
    assert.match(
      few[6]?.change ?? '',
      /^It needs devicemapper, btrfs, aufs and zfs, which were not measured\.$/,
    );
    assert.match(few[0]?.figures[0]?.text ?? '', /^overlay2 /, 'what is known is told all the same');
    assert.equal(few[0]?.figures[0]?.answer, 'yes');
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

  describe('on drivers of a virtual machine', () => {
    const lab = machine({ id: 'debian:6.1', isVirtual: true });
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
    const moved = (driver: string, raw: string): Subject[] => [
      ...subjects.map((one) =>
        one.driver === driver ? subject(`${one.id}+debian:6.1`, { baseline: `${raw}+debian:6.1` }) : one,
      ),
      subject(`${raw}+debian:6.1`),
    ];
    const judged = (list: readonly Subject[], truth: Truth): ClaimVerdict[] =>
      verdicts({ subjects: list, truth, machines: [machine(), lab] });

    test('are judged by the raw filesystem there, where that is of the same kind', () => {
      const found = judged(moved('aufs', 'raw@ext4'), slow);
      assert.equal(found[5]?.verdict, 'holds');
      assert.match(found[5]?.figures[0]?.text ?? '', /^reads aufs 0\.\d+ times overlay2 † \(/);
      const equal: Truth = (one, id, point) =>
        one.driver === 'aufs' ? slow({ ...one, driver: 'overlay2' }, id, point) : slow(one, id, point);
      assert.equal(judged(moved('aufs', 'raw@ext4'), equal)[5]?.verdict, 'does not hold');
    });

    test('are not called fast or slow beside their own filesystem, which is as slow', () => {
      const alike: Truth = (one, id, point) =>
        slow(one.driver === 'zfs' ? { ...one, driver: null } : one, id, point);
      const claim = judged(moved('zfs', 'raw@zfs'), alike)[4];
      assert.equal(claim?.verdict, 'not measurable here');
      assert.match(
        claim.change,
        /zfs and overlay2, aufs, vfs@ext4, vfs@xfs, btrfs and devicemapper on one machine, or beside the same raw filesystem on both\.$/,
      );
    });
  });
});
