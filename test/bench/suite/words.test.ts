/** What the report says of results of which the truth is known. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CATALOGUE } from '../../../bench/suite/catalogue.ts';
import { enginesOf } from '../../../bench/suite/report/engines.ts';
import { figuresOf } from '../../../bench/suite/report/figures.ts';
import { relate } from '../../../bench/suite/report/relation.ts';
import { type Advice, adviceOf, disturbedText, TOPICS } from '../../../bench/suite/report/words.ts';
import type { Subject } from '../../../bench/suite/schema.ts';
import {
  type Making,
  machine,
  madeResult,
  subject,
  type Truth,
  USUAL,
  unitOf,
} from '../../helpers/bench-results.ts';

const raw = subject('raw@ext4');
const [overlay2, vfs] = [subject('overlay2@ext4'), subject('vfs@ext4')];
const btrfs = [subject('raw@btrfs'), subject('btrfs@btrfs')];

const plain: Truth = (_, workload) => USUAL[unitOf(workload)];
const times =
  (factor: number, isChosen: (one: Subject, workload: string) => boolean): Truth =>
  (one, workload, point) => {
    const value = plain(one, workload, point) ?? 0;
    if (!isChosen(one, workload)) return value;
    return unitOf(workload) === 'ms' || unitOf(workload) === 'bytes' ? value / factor : value * factor;
  };

function advice(given: Partial<Making>): Advice[] {
  const making = { subjects: [raw, overlay2, vfs, ...btrfs], workloads: ['small'], truth: plain, samples: 8 };
  return adviceOf(figuresOf(madeResult({ ...making, ...given })));
}

const on = (list: readonly Advice[], title: string): Advice | undefined =>
  list.find(({ topic }) => topic.title === title);

describe('words', () => {
  test('name workloads that are in the catalogue', () => {
    const known = CATALOGUE.map(({ id }) => id);
    assert.deepEqual(
      TOPICS.flatMap(({ workloads }) => workloads).filter((id) => !known.includes(id)),
      [],
    );
  });

  test('say by how much the best is better, with the interval, and who is equal', () => {
    const list = advice({
      truth: times(1.8, ({ driver }, id) => driver === 'btrfs' && id === 'small.create'),
    });
    const found = on(list, 'many small writes');
    assert.ok(found?.isDifference);
    assert.deepEqual(found.leaders, ['btrfs']);
    assert.match(
      found.text,
      /^btrfs 1\.[78]\d times (overlay2|vfs) \(1\.[67]\d to 1\.\d\d\), 1\.\d\d times (vfs|overlay2) \(1\.[67]\d to 1\.\d\d\)$/,
    );
    assert.equal(on(list, 'unpacking a source tree')?.isDifference, false);
    const equal = on(advice({ noise: 0.002 }), 'many small writes');
    assert.match(equal?.text ?? '', /^\w+, \w+ and \w+ are equal within 5 %$/);
    assert.deepEqual([found.answer, equal?.answer], ['better', 'equal']);
  });

  test('find the driver that was made slow, in every topic, and call the others equal', () => {
    const list = advice({
      workloads: ['small', 'large', 'layers', 'database'],
      truth: times(0.5, ({ driver }) => driver === 'vfs'),
    });
    assert.ok(list.length >= 10);
    for (const { text, leaders, topic } of list) {
      assert.match(text, /^\w+ (1\.9|2\.[01])\d? times vfs \([12]\.\d\d to 2\.\d\d\)/, topic.title);
      assert.deepEqual(leaders.toSorted(), ['btrfs', 'overlay2'], topic.title);
    }
  });

  test('find no difference between one driver under two names, in 190 of 200 results and more', () => {
    const wrong = [0.03, 0.3].map((noise) => {
      let found = 0;
      for (let seed = 1; seed <= 200; seed++) {
        const twins = [raw, overlay2, subject('again@ext4')];
        const list = advice({
          subjects: twins,
          workloads: ['small', 'database', 'copy-up'],
          seed,
          noise,
          samples: 6,
        });
        assert.ok(list.length >= 6);
        if (list.some(({ isDifference }) => isDifference)) found += 1;
      }
      return found;
    });
    assert.ok(
      wrong.every((count) => count <= 10),
      `${wrong.join(' and ')} of 200`,
    );
  });

  test('call what is better at some points only not surely better', () => {
    const truth: Truth = (one, workload, point) =>
      (plain(one, workload, point) ?? 0) * (one.driver === 'btrfs' && point.size === 2 ** 26 ? 3 : 1);
    const list = advice({
      truth,
      workloads: ['large'],
      subjects: [raw, overlay2, ...btrfs],
      extent: 'usual',
    });
    const found = on(list, 'reading large files that nothing cached');
    assert.equal(found?.isDifference, false);
    assert.match(
      found?.text ?? '',
      /btrfs: not surely better than overlay2 \(\d\.\d\d times, (0\.9|1\.0)\d to [23]\.\d\d\)$|equal/,
    );
  });

  test('say perhaps where the interval says so, and chance finds as much among so many', () => {
    const subjects = [raw, overlay2, vfs, ...btrfs];
    const made = madeResult({ subjects, workloads: ['small'], truth: plain, samples: 4 });
    // Every value of btrfs is better than every other by more than 5 %, and all of them vary by as much.
    const values = {
      'btrfs@btrfs': [10, 10.5, 14, 15],
      'overlay2@ext4': [16, 17, 24, 25],
      'vfs@ext4': [17, 24, 16, 25],
    };
    const series = made.series.map((one) => ({
      ...one,
      samples: one.samples.map((sample, index) => {
        const own = Object.entries(values).find(
          ([id]) => one.workload === 'small.untar' && id === one.subject,
        );
        return { ...sample, value: own?.[1][index] ?? sample.value };
      }),
    }));
    const found = on(adviceOf(figuresOf({ ...made, series })), 'unpacking a source tree');
    assert.equal(
      found?.text,
      'btrfs: perhaps 1.64 times overlay2 (1.07 to 2.50), 1.64 times vfs (1.07 to 2.50)',
    );
    assert.deepEqual([found.isDifference, found.answer], [false, 'perhaps']);
    // By themselves they are a difference.
    const alone = series.filter(
      ({ workload, subject: id }) => workload === 'small.untar' && id !== 'vfs@ext4',
    );
    const [only] = adviceOf(figuresOf({ ...made, series: alone }));
    assert.match(only?.text ?? '', /^btrfs 1\.\d\d times overlay2 /);
  });

  test('are brief where there are many, and name what to choose', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => subject(`${name}@ext4`));
    const given = { subjects: [raw, ...names], workloads: ['small.create'], noise: 0.002 };
    const of = (factors: Readonly<Record<string, number>>): Advice | undefined =>
      on(
        advice({
          ...given,
          truth: (one, ...rest) => (plain(one, ...rest) ?? 0) * (factors[one.driver ?? ''] ?? 1),
        }),
        'many small writes',
      );
    const one = of({ a: 2 });
    assert.equal(one?.choice, 'a');
    assert.equal(one.text.split(' times ').length - 1, 6);
    assert.match(
      one.brief,
      /^a [\d.]+ times \w \([^)]*\), [\d.]+ times \w \([^)]*\), 3 more, [\d.]+ times \w \([^)]*\)$/,
    );
    assert.equal(of({ a: 0.5 })?.choice, 'any but a');
    assert.match(of({ a: 2, b: 2 })?.choice ?? '', /^(a or b|b or a)$/);
    assert.match(of({ a: 0.5, b: 0.5, c: 0.5 })?.choice ?? '', /^[defg] and 3 like it$/);
    // One on all of its stores is one to choose.
    const stores = ['xfs', 'ext4'].map((store) => subject(`a@${store}`));
    const twice = advice({
      ...given,
      subjects: [raw, subject('raw@xfs'), ...stores, ...names.slice(1, 3)],
      truth: (one, ...rest) => (plain(one, ...rest) ?? 0) * (one.driver === 'a' ? 2 : 1),
    });
    assert.equal(on(twice, 'many small writes')?.choice, 'a');
  });

  test('of memory and disk say who takes more', () => {
    const list = advice({
      workloads: ['density'],
      truth: times(0.1, ({ driver }) => driver === 'vfs'),
      subjects: [raw, overlay2, vfs],
    });
    assert.match(
      on(list, 'many idle containers, on disk')?.text ?? '',
      /^overlay2; vfs takes (9\.\d+|10\.\d) times as much \(9\.\d+ to [\d.]+\)$/,
    );
  });

  test('of too few samples say nothing better', () => {
    const list = advice({ samples: 3, truth: times(3, ({ driver }) => driver === 'btrfs') });
    assert.ok(
      list
        .filter(({ topic }) => topic.title !== 'looking at many small files')
        .every((one) => !one.isDifference),
    );
  });

  test('of too few samples say that they are, and by how much they differ', () => {
    const list = advice({ samples: 2, truth: times(3, ({ driver }) => driver === 'btrfs') });
    assert.match(
      on(list, 'many small writes')?.text ?? '',
      /^btrfs: too few turns to tell it from (overlay2|vfs) \((2\.\d|3\.\d)\d times, [\d.]+ to [\d.]+\) and \w+ \([23]\.\d\d times, [\d.]+ to [\d.]+\)$/,
    );
  });

  test('tell what was disturbed', () => {
    const result = madeResult({ subjects: [raw, overlay2, vfs], workloads: ['small.create'], truth: plain });
    const series = result.series.map((one) => ({
      ...one,
      samples: one.samples.map((sample) => ({ ...sample, disturbed: ['steal' as const] })),
    }));
    const [found] = adviceOf(figuresOf({ ...result, series }));
    assert.ok(found !== undefined);
    assert.equal(disturbedText(found), ', up to 100 % of the samples disturbed');
    const [calm] = adviceOf(figuresOf(result));
    assert.ok(calm !== undefined);
    assert.equal(disturbedText(calm), '');
  });
});

describe('the same driver of another engine', () => {
  const docker = subject('docker-overlay2@ext4', {
    ...{ kind: 'peer' as const, engine: 'docker', driver: 'overlay2', baseline: 'raw@ext4' },
  });
  const words = (truth: Truth, given: Partial<Making> = {}) =>
    enginesOf(
      figuresOf(
        madeResult({
          subjects: [raw, overlay2, vfs, docker],
          workloads: ['small', 'layers'],
          truth,
          ...given,
        }),
      ),
    );
  const isDocker = ({ id }: Subject): boolean => id === docker.id;

  test('is set against ours, and against no other driver', () => {
    const list = words(times(0.5, (one, id) => isDocker(one) && id === 'layers.start'));
    const start = list.find(({ topic }) => topic.title === 'starting containers');
    assert.match(
      start?.text ?? '',
      /^overlay2 (1\.9|2\.0)\d times docker-overlay2@ext4 \(1\.\d\d to 2\.\d\d\)$/,
    );
    assert.ok(list.every(({ text }) => !text.includes('vfs')));
    const back = words(times(2, (one, id) => isDocker(one) && id === 'layers.start'));
    assert.match(
      back.find(({ topic }) => topic.title === 'starting containers')?.text ?? '',
      /^docker-overlay2@ext4 (1\.9|2\.0)\d times overlay2 \(/,
    );
    const equal = words(plain, { noise: 0.002 });
    assert.ok(equal.every(({ text }) => text === 'overlay2 and docker-overlay2@ext4 are equal within 5 %'));
  });

  test('of too few turns says so, and without one there is nothing', () => {
    const few = words(times(0.5, isDocker), { samples: 2 });
    assert.match(few[0]?.text ?? '', /^too few turns to tell overlay2 from docker-overlay2@ext4 \(/);
    assert.deepEqual(words(plain, { subjects: [raw, overlay2, vfs] }), []);
    const others = words(plain, { subjects: [raw, vfs, docker] });
    assert.deepEqual(others, [], 'vfs is another driver');
  });
});

describe('drivers of two machines', () => {
  const lab = machine({ id: 'debian:6.1', isVirtual: true });
  const far = [subject('raw@zfs+debian:6.1'), subject('zfs@zfs+debian:6.1')];
  /** There everything takes five times as long, and zfs twice as long as its raw filesystem. */
  const truth: Truth = (one, workload, point) => {
    const value = plain(one, workload, point) ?? 0;
    const factor = (one.machine === 'host' ? 1 : 5) * (one.driver === 'zfs' ? 2 : 1);
    return unitOf(workload) === 'ms' ? value * factor : value / factor;
  };
  const given = { subjects: [raw, overlay2, ...far], machines: [machine(), lab], truth };

  test('are compared by their ratios to the raw filesystem of each, and marked', () => {
    const found = on(advice(given), 'many small writes');
    assert.match(found?.text ?? '', /^overlay2 (1\.9\d|2\.0\d) times zfs † \(1\.\d\d to 2\.\d\d\)$/);
  });

  test('are not compared where one has no raw filesystem beside it', () => {
    const alone: Truth = (one, ...rest) => (one.id.startsWith('raw@zfs') ? undefined : truth(one, ...rest));
    assert.deepEqual(advice({ ...given, truth: alone }), []);
    const figures = figuresOf(madeResult({ workloads: ['small'], ...given, truth: alone }));
    const [, zfs] = far;
    assert.ok(zfs !== undefined);
    assert.equal(
      relate(figures, overlay2, zfs, () => true),
      undefined,
    );
  });
});
