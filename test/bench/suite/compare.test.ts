import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compareResults } from '../../../bench/suite/compare/compare.ts';
import { comparisonJson, comparisonText } from '../../../bench/suite/compare/compare-text.ts';
import { noTime } from '../../../bench/suite/measure/no-time.ts';
import type { Result } from '../../../bench/suite/schema.ts';
import {
  type Making,
  machine,
  madeResult,
  subject,
  type Truth,
  USUAL,
  unitOf,
} from '../../helpers/bench-results.ts';

const subjects = [subject('raw@ext4'), subject('overlay2@ext4'), subject('vfs@ext4')];
const plain: Truth = (_, workload) => USUAL[unitOf(workload)];
const workloads = ['small', 'large', 'copy-up', 'layers', 'parallel', 'database'];
const made = (given: Partial<Making> = {}): Result =>
  madeResult({ subjects, workloads, truth: plain, samples: 7, ...given });

/** A truth in which what is chosen takes `factor` times as long. */
const slower =
  (factor: number, isChosen: (...given: Parameters<Truth>) => boolean): Truth =>
  (...given) => {
    const value = plain(...given);
    if (value === undefined || !isChosen(...given)) return value;
    return ['ms', 'bytes', 'count'].includes(unitOf(given[1])) ? value * factor : value / factor;
  };

describe('two results', () => {
  test('of the same have no difference, in 190 of 200 pairs and more, however noisy they are', () => {
    const wrong = [0.03, 0.3].map((noise) => {
      let found = 0;
      for (let seed = 1; seed <= 200; seed++) {
        const given = { workloads: ['small', 'database'], noise, samples: 6 };
        const { changes } = compareResults(made({ ...given, seed }), made({ ...given, seed: seed + 1000 }));
        if (changes.some(({ sort }) => sort === 'worse' || sort === 'better')) found += 1;
      }
      return found;
    });
    assert.ok(
      wrong.every((count) => count <= 10),
      `differences were found in ${wrong.join(' and ')} of 200 pairs`,
    );
  });

  test('of which one has a driver that is slower at one thing have that regression and no other', () => {
    const truth = slower(1.3, ({ id }, workload) => id === 'vfs@ext4' && workload === 'small.untar');
    const comparison = compareResults(made(), made({ truth, seed: 2 }));
    const found = comparison.changes.filter(({ sort }) => sort === 'worse' || sort === 'better');
    assert.deepEqual(
      found.map(({ sort, subject: id, workload }) => [sort, id, workload.id]),
      [['worse', 'vfs@ext4', 'small.untar']],
    );
    assert.equal(comparison.regressions, 1);
    const { low = 0, high = 0 } = found[0]?.factor ?? {};
    assert.ok(low > 1.05 && low < 1.3 && high > 1.25 && high < 1.45, `${low} to ${high}`);
    assert.match(
      comparisonText(comparison),
      /^REGRESSION {2}vfs@ext4, unpacking the archive of a source tree \(small\.untar\): 10\.\d ms -> 13\.\d ms, 1\.[23]\d times \(1\.\d\d to 1\.\d\d\)$/m,
    );
    const back = compareResults(made({ truth, seed: 2 }), made());
    assert.deepEqual([back.regressions, back.changes.filter(({ sort }) => sort === 'better').length], [0, 1]);
  });

  test('slower by less than the margin, or with too few samples, have no regression', () => {
    const truth = slower(1.03, () => true);
    assert.equal(compareResults(made(), made({ truth, seed: 2 })).regressions, 0);
    const twice = slower(2, () => true);
    const few = { samples: 3 };
    const comparison = compareResults(made(few), made({ ...few, truth: twice, seed: 2 }));
    assert.ok(comparison.changes.every(({ sort }) => sort === 'open'));
  });

  test('a rate that fell is a regression as a time that rose is; space that was none before too', () => {
    const rate = slower(2, (_, workload) => workload === 'small.create');
    const [first] = compareResults(made(), made({ truth: rate, seed: 2 })).changes.filter(
      ({ sort }) => sort === 'worse',
    );
    assert.equal(first?.workload.id, 'small.create');
    assert.ok((first.factor?.high ?? 1) < 0.6, 'the factor is that of the values');
    const space = (bytes: number) =>
      made({ workloads: ['churn.space'], truth: () => bytes, seed: bytes + 1 });
    assert.equal(compareResults(space(0), space(2 ** 30)).regressions, 3);
    assert.equal(compareResults(space(0), space(100)).regressions, 0, 'less than a block is nothing');
  });

  test('what cannot be measured any more is a regression, and what only one has is told', () => {
    const broken = made();
    const after: Result = {
      ...broken,
      subjects: broken.subjects.slice(0, 2),
      series: broken.series
        .filter(({ subject: id, workload }) => id !== 'vfs@ext4' && workload !== 'database.sqlite')
        .map((one) =>
          one.subject === 'overlay2@ext4' && one.workload === 'small.walk'
            ? { ...one, samples: [], error: 'it went\nwrong' }
            : one,
        ),
    };
    const comparison = compareResults(made(), after, ['A.json', 'B.json']);
    assert.equal(comparison.regressions, 1);
    const text = comparisonText(comparison);
    assert.match(text, /^REGRESSION {2}overlay2@ext4, a walk .*: 10\.\d ms -> failed: it went\\x0awrong$/m);
    assert.match(text, /^not compared {2}vfs@ext4 is only in A\.json$/m);
    assert.match(text, /^not compared {2}raw@ext4, database\.sqlite is only in A\.json$/m);
  });

  test('what there was no time for is no regression, and is told', () => {
    const whole = made({ workloads: ['small.walk', 'small.untar'] });
    const late: Result = {
      ...whole,
      interrupted: true,
      series: whole.series.map((one) =>
        one.subject === 'vfs@ext4' && one.workload === 'small.walk'
          ? { ...one, samples: [], error: noTime(0, 4) }
          : one,
      ),
    };
    const comparison = compareResults(whole, late, ['A.json', 'B.json']);
    assert.equal(comparison.regressions, 0);
    const text = comparisonText(comparison);
    assert.match(text, /^not compared {2}vfs@ext4, small\.walk has no values in B\.json$/m);
    assert.match(text, /^changed {2}B\.json was ended before its time$/m);
    assert.match(
      comparisonText(compareResults(late, whole, ['A.json', 'B.json'])),
      /^not compared {2}vfs@ext4, small\.walk has no values in A\.json$/m,
    );
  });

  test('with nothing in common are refused', () => {
    const [a, b] = [made({ workloads: ['small'] }), made({ workloads: ['large'] })];
    assert.throws(() => compareResults(a, b, ['A.json', 'B.json']), {
      code: 'InvalidParameter',
      message: /^A\.json and B\.json have no figure in common/,
    });
  });
});

describe('two machines', () => {
  const other = [machine({ processor: 'Made Up 9000', kernel: '7.0.0' })];

  test('are flagged, and their drivers are compared by their ratio to the raw filesystem', () => {
    // Everything is three times as fast there, but for one driver, which is only twice as fast.
    const truth = slower(1 / 3, () => true);
    const lazy: Truth = (one, ...rest) => {
      const value = truth(one, ...rest) ?? 0;
      if (one.id !== 'vfs@ext4') return value;
      return ['ms', 'bytes', 'count'].includes(unitOf(rest[0])) ? value * 1.5 : value / 1.5;
    };
    const comparison = compareResults(made(), made({ truth: lazy, machines: other, seed: 2 }));
    const worse = comparison.changes.filter(({ sort }) => sort === 'worse');
    assert.ok(worse.length > 20);
    assert.ok(worse.every(({ subject: id, byBaseline }) => id === 'vfs@ext4' && byBaseline));
    const better = comparison.changes.filter(({ sort }) => sort === 'better');
    assert.ok(better.every(({ subject: id }) => id === 'raw@ext4'));
    const text = comparisonText(comparison);
    assert.match(text, /^TWO MACHINES {2}host: processor Made Up 3000 -> Made Up 9000/m);
    assert.match(text, /^changed {2}host: kernel 6\.18\.0 -> 7\.0\.0$/m);
  });

  test('are one where only its kernel, its scheduler or a program is another, which is told', () => {
    const disk = { filesystem: 'ext4', scheduler: 'none' };
    const same = [machine({ kernel: '7.0.0', disk, versions: { fio: 'fio-3.36', kernel: '7.0.0' } })];
    const { conditions, changes } = compareResults(made(), made({ machines: same, seed: 2 }));
    assert.deepEqual(conditions, [
      {
        machine: 'host',
        foreign: [],
        changed: ['kernel 6.18.0 -> 7.0.0', 'scheduler unknown -> none', 'fio fio-3.33 -> fio-3.36'],
      },
    ]);
    assert.ok(changes.every(({ byBaseline }) => !byBaseline));
    const ssd = [machine({ disk: { filesystem: 'ext4', model: 'Other SSD' } })];
    const [other] = compareResults(made(), made({ machines: ssd, seed: 2 })).conditions;
    assert.deepEqual(other?.foreign, ['model unknown -> Other SSD']);
  });

  test('without a raw filesystem beside a driver leave it uncompared, and say so', () => {
    const rawless: Truth = (one, ...rest) => (one.kind === 'raw' ? undefined : plain(one, ...rest));
    const given = { subjects: [...subjects, subject('raw@xfs')], workloads: ['small.walk'] };
    const beside: Truth = (one, ...rest) => (one.id === 'raw@ext4' ? undefined : plain(one, ...rest));
    const comparison = compareResults(
      made({ ...given, truth: beside }),
      made({ ...given, truth: beside, machines: other }),
    );
    assert.deepEqual([...new Set(comparison.changes.map((one) => one.subject))], ['raw@xfs']);
    assert.ok(
      comparison.lacking.includes('vfs@ext4, small.walk has no raw filesystem beside it on both machines'),
    );
    assert.throws(() => compareResults(made({ truth: rawless }), made({ truth: rawless, machines: other })), {
      message: /no figure in common/,
    });
  });

  test('of the lab, one each, are compared whatever their kernels are called', () => {
    const lab = (kernel: string, seed: number): Result =>
      made({
        machines: [machine({ id: kernel, isVirtual: true, kernel })],
        subjects: ['raw@ext4', 'overlay2@ext4'].map((id) => subject(`${id}+${kernel}`)),
        seed,
      });
    const comparison = compareResults(lab('debian:6.1', 1), lab('debian:6.12', 2));
    assert.deepEqual([comparison.regressions, comparison.lacking], [0, []]);
    assert.match(
      comparisonText(comparison),
      /^changed {2}debian:6\.12: kernel debian:6\.1 -> debian:6\.12$/m,
    );
    assert.doesNotMatch(comparisonText(comparison), /TWO MACHINES/);
  });
});

test('programs get every series, with its factor', () => {
  const comparison = compareResults(made(), made({ seed: 2 }));
  const json: unknown = JSON.parse(comparisonJson(comparison));
  assert.ok(typeof json === 'object' && json !== null && 'changes' in json && Array.isArray(json.changes));
  assert.equal(json.changes.length, made().series.length);
  assert.ok('regressions' in json && json.regressions === 0);
});
