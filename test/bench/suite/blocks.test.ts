/** The catalogue and what is measured are the same, and what is too large is known before it is made. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CATALOGUE, EXTENTS, SCALES } from '../../../bench/suite/catalogue.ts';
import { blocksOf, chosenWorkloads, isChosen, sizeText } from '../../../bench/suite/measure/blocks.ts';
import {
  keepRoom,
  leftOut,
  mustHaveRoom,
  needOf,
  runNeed,
  storeSize,
} from '../../../bench/suite/measure/room.ts';
import { seriesKey } from '../../../bench/suite/measure/series-key.ts';
import { planSubjects } from '../../../bench/suite/measure/subjects.ts';
import { TOPICS } from '../../../bench/suite/report/words.ts';
import { TsengineError } from '../../../src/errors.ts';
import { statfs } from '../../../src/linux/statfs.ts';

/** Everything by its groups, so that nothing is left out for want of time. */
const ALL = [...new Set(CATALOGUE.map(({ group }) => group))];

describe('blocks', () => {
  for (const extent of EXTENTS) {
    const blocks = blocksOf({ extent, workloads: ALL });
    const series = blocks.flatMap(({ jobs }) => jobs.flatMap((job) => job.series));

    test(`measure each workload of the catalogue and no other, ${extent}`, () => {
      const measured = new Set(series.map(({ workload }) => workload));
      assert.deepEqual([...measured].sort(), CATALOGUE.map(({ id }) => id).sort());
    });

    test(`measure at the points of the catalogue, ${extent}`, () => {
      for (const { id, scales } of CATALOGUE) {
        const points = series.filter(({ workload }) => workload === id).map(({ point }) => point);
        for (const point of points) assert.deepEqual(Object.keys(point).sort(), [...scales].sort(), id);
        for (const scale of scales) {
          const found = [...new Set(points.map((point) => point[scale]))].sort();
          // Docker takes 125 layers, and a container starts over no more.
          const wanted = SCALES[scale][extent].map((value) =>
            id === 'layers.start' ? Math.min(125, value) : value,
          );
          assert.deepEqual(found, [...new Set(wanted)].sort(), `${id} ${scale}`);
        }
      }
    });

    test(`have names and series of their own, ${extent}`, () => {
      const ids = blocks.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      const keys = series.map((one) => seriesKey('x', one));
      assert.equal(new Set(keys).size, keys.length);
    });
  }

  test('of a quick answer have something of every topic of the summary but what takes too long', () => {
    const quick = new Set(chosenWorkloads({ extent: 'quick', workloads: [] }).map(({ id }) => id));
    const without = TOPICS.filter(({ workloads }) => !workloads.some((id) => quick.has(id)));
    assert.deepEqual(
      without.flatMap(({ workloads }) => workloads),
      ['density.page-cache', 'density.disk'],
    );
    // What it does without is to be had by its name.
    const named = chosenWorkloads({ extent: 'quick', workloads: ['large.read.seq.warm', 'churn'] });
    assert.deepEqual(
      named.map(({ id }) => id),
      ['large.read.seq.warm', 'churn.space', 'churn.fragments', 'churn.read.before', 'churn.read.after'],
    );
  });

  test('come by what they take: the harness first, the largest files and the most containers last', () => {
    const ids = blocksOf({ extent: 'full', workloads: [] }).map(({ id }) => id);
    const places = [
      'harness',
      'source-tree',
      'copy-up-4096',
      'large-67108864',
      'large-4294967296',
      'parallel',
    ];
    assert.deepEqual(
      places.toSorted((a, b) => ids.indexOf(a) - ids.indexOf(b)),
      places,
    );
  });

  test('are few where little is asked for', () => {
    const ids = blocksOf({ extent: 'quick', workloads: ['small.untar', 'database'] }).map(({ id }) => id);
    assert.deepEqual(ids, ['source-tree', 'database']);
  });

  test('take the sizes that are asked for', () => {
    const { length } = blocksOf({ extent: 'quick', workloads: ['large-files'], sizes: [1 << 20, 1 << 21] });
    assert.equal(length, 2);
  });

  test('go by groups, names and beginnings of names', () => {
    const entry = { id: 'large.read.seq.cold', group: 'large-files' } as const;
    for (const name of ['large-files', 'large', 'large.read', 'large.read.seq.cold'])
      assert.ok(isChosen(entry, [name]));
    for (const name of ['larg', 'large.read.s', 'small-files']) assert.ok(!isChosen(entry, [name]));
  });
});

describe('room', () => {
  const subjects = planSubjects({
    drivers: ['overlay2', 'vfs', 'btrfs'],
    peers: [],
    isQuick: false,
    machineOf: () => 'host',
  });
  const vfs = subjects.find(({ id }) => id === 'vfs@ext4');
  assert.ok(vfs !== undefined);

  test('vfs is left out where it would keep a hundred copies of a large file', () => {
    const [block] = blocksOf({ extent: 'usual', workloads: ['copy-up'] }).filter(
      ({ id }) => id === 'copy-up-536870912',
    );
    assert.ok(block !== undefined);
    assert.match(leftOut(block, vfs) ?? '', /^vfs would need .* GiB for it, because it keeps whole copies/);
    const others = subjects.filter(({ id }) => id !== 'vfs@ext4');
    assert.deepEqual(
      others.map((plan) => leftOut(block, plan)),
      others.map(() => undefined),
    );
  });

  test('vfs is not left out of several containers for want of room for a hundred', () => {
    const blocks = blocksOf({ extent: 'usual', workloads: ['density'] });
    assert.deepEqual(
      blocks.map((block) => [
        block.jobs.flatMap(({ series }) => series[0]?.point.containers ?? []),
        leftOut(block, vfs) === undefined,
      ]),
      [
        [[1, 10], true],
        [[100], false],
      ],
    );
  });

  test('that is gone is given back by the stores before more is written, and lacking is told', async () => {
    const { available } = statfs('/tmp');
    const done: string[] = [];
    const rigs = [
      {
        store: {
          trim: async () => {
            done.push('trim');
          },
        },
      },
      { store: {} },
    ];
    await keepRoom(rigs, '/tmp', 1, (text) => done.push(text));
    assert.equal(done.length, 0);
    await assert.rejects(
      keepRoom(rigs, '/tmp', 1000 * available, (text) => done.push(text)),
      /^TsengineError: it may write .* GiB, and \/tmp has .* left$/,
    );
    assert.equal(done.length, 2);
  });

  test('a store has more than a subject takes', () => {
    for (const block of blocksOf({ extent: 'quick', workloads: ALL }))
      for (const plan of subjects)
        if (leftOut(block, plan) === undefined) assert.ok(storeSize(block, subjects) > needOf(block, plan));
  });

  test('that is lacking is told with how much is needed', () => {
    const need = runNeed(blocksOf({ extent: 'usual', workloads: [] }), subjects) * 1000;
    assert.throws(
      () => mustHaveRoom(need, '/tmp'),
      (error) =>
        error instanceof TsengineError &&
        /needs up to [\d.]+ GiB in \/tmp, and .* are free/.test(error.message),
    );
  });
});

describe('subjects', () => {
  test('have the filesystem without a driver beside them, in the same machine', () => {
    const plans = planSubjects({
      drivers: ['overlay2', 'devicemapper'],
      peers: ['docker'],
      isQuick: true,
      machineOf: (driver) => (driver === 'overlay2' ? 'host' : 'debian:6.1'),
    });
    assert.deepEqual(
      plans.map(({ id, baseline }) => [id, baseline]),
      [
        ['raw@ext4', null],
        ['overlay2@ext4', 'raw@ext4'],
        ['docker-overlay2@ext4', 'raw@ext4'],
        ['raw@ext4+debian:6.1', null],
        ['devicemapper@thin-pool+debian:6.1', 'raw@ext4+debian:6.1'],
      ],
    );
  });
});

test('sizes are said in the largest unit', () => {
  assert.deepEqual([4096, 1 << 20, 1.5 * 2 ** 30, 100].map(sizeText), [
    '4 KiB',
    '1 MiB',
    '1.5 GiB',
    '100 bytes',
  ]);
});
