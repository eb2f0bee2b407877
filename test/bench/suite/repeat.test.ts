/** What is measured next, and when it is over: on a clock that goes on only while something is measured. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isNoTime, noTime } from '../../../bench/suite/measure/no-time.ts';
import { Pace } from '../../../bench/suite/measure/pace.ts';
import { type Bounds, type Pair, pairName, repeatPairs } from '../../../bench/suite/measure/repeat.ts';
import { randomFrom } from '../../../bench/suite/random.ts';

interface Played {
  /** How long each turn took, by `SUBJECT JOB`. */
  readonly turns: ReadonlyMap<string, number>;
  readonly lacking: readonly string[];
  readonly failed: readonly string[];
  readonly isWhole: boolean;
  /** When it was over. */
  readonly at: number;
}

interface Wanted {
  readonly bounds?: Partial<Bounds>;
  readonly known?: Readonly<Record<string, readonly number[]>>;
  readonly givenUp?: readonly string[];
}

/** Jobs by their names, with the milliseconds that a turn of them takes and the values that it gives. */
type Jobs = Readonly<
  Record<string, { readonly ms: number; value?(turn: number): number; readonly least?: number }>
>;

async function play(subjects: readonly string[], jobs: Jobs, wanted: Wanted = {}): Promise<Played> {
  let now = 0;
  const turns = new Map<string, number>();
  const [lacking, failed]: [string[], string[]] = [[], []];
  const pairs = subjects.flatMap((subject) =>
    Object.entries(jobs).map(([job, { ms, value, least = 4 }]): Pair => {
      const name = pairName({ subject, job });
      return {
        ...{ subject, job, series: [name], least },
        run: async () => {
          now += ms;
          const turn = (turns.get(name) ?? 0) + 1;
          turns.set(name, turn);
          // Never precise unless they say otherwise.
          return new Map([[name, value?.(turn) ?? 2 ** turn]]);
        },
      };
    }),
  );
  const isWhole = await repeatPairs(
    pairs,
    { softMs: 1000, hardMs: 1000, enough: 100, precision: 0.05, ...wanted.bounds },
    {
      ...{
        known: wanted.known ?? {},
        givenUp: wanted.givenUp ?? [],
        random: randomFrom(1),
        since: () => now,
      },
      failed: (pair) => failed.push(pairName(pair)),
      lacking: (pair, count) => lacking.push(`${pairName(pair)} ${count}`),
    },
  );
  return { turns, lacking, failed, isWhole, at: now };
}

describe('turns', () => {
  test('go on until each series is precise', async () => {
    const { turns, isWhole, lacking } = await play(['a', 'b'], { job: { ms: 1, value: () => 7 } });
    assert.ok(isWhole);
    assert.deepEqual(lacking, []);
    // Six values are the fewest that an interval of 95 % can be had of.
    assert.deepEqual(Object.fromEntries(turns), { 'a job': 6, 'b job': 6 });
  });

  test('are no more than there is time for, going by what they took', async () => {
    const { turns, at, isWhole, lacking } = await play(['a', 'b'], { job: { ms: 90 } });
    assert.ok(!isWhole && at <= 1000, `over at ${at}`);
    assert.deepEqual(new Set(turns.values()), new Set([5]));
    assert.deepEqual(lacking, []);
  });

  test('are as many for each, whatever is left of the time', async () => {
    const { turns } = await play(['a', 'b', 'c'], { short: { ms: 10 }, long: { ms: 70 } });
    assert.deepEqual(new Set(turns.values()), new Set([4]));
  });

  test('are the least that can be judged, beyond the share of the block', async () => {
    const bounds = { softMs: 100, hardMs: 10_000 };
    const { turns, lacking } = await play(
      ['a', 'b'],
      { job: { ms: 90 }, more: { ms: 1, least: 5 } },
      { bounds },
    );
    assert.deepEqual(Object.fromEntries(turns), { 'a job': 4, 'b job': 4, 'a more': 5, 'b more': 5 });
    assert.deepEqual(lacking, []);
  });

  test('that are too few are told, with how many there were', async () => {
    const { turns, lacking, at } = await play(['a', 'b'], { job: { ms: 200 } });
    assert.ok(at <= 1000);
    assert.deepEqual(Object.fromEntries(turns), { 'a job': 2, 'b job': 2 });
    assert.deepEqual(lacking.toSorted(), ['a job 2', 'b job 2']);
  });

  test('that do not fit are not begun, and others are', async () => {
    const { turns, lacking } = await play(['a', 'b', 'c'], { long: { ms: 600 }, short: { ms: 1 } });
    assert.equal([...turns.keys()].filter((name) => name.endsWith('long')).length, 1);
    assert.equal([...turns.keys()].filter((name) => name.endsWith('short')).length, 3);
    assert.ok(lacking.length >= 3, lacking.join());
  });

  test('of an earlier beginning count', async () => {
    const known = { 'a job': [7, 7, 7, 7, 7] };
    const { turns } = await play(['a'], { job: { ms: 1, value: () => 7 } }, { known });
    assert.deepEqual([...turns], [['a job', 1]]);
  });

  test('of a job that fails or gives nothing end, and the rest goes on', async () => {
    const value = (turn: number): number => {
      if (turn === 2) throw new Error('its disk is gone');
      return 7;
    };
    const { turns, failed, isWhole } = await play(
      ['a', 'b'],
      { broken: { ms: 1, value }, job: { ms: 1, value: () => 7 }, hopeless: { ms: 1 } },
      { givenUp: ['a hopeless', 'b hopeless'] },
    );
    assert.ok(isWhole);
    assert.deepEqual(failed.toSorted(), ['a broken', 'b broken']);
    assert.deepEqual(Object.fromEntries(turns), { 'a broken': 2, 'b broken': 2, 'a job': 6, 'b job': 6 });

    const silent: Pair = { subject: 'a', job: 'silent', series: ['x'], least: 4, run: async () => new Map() };
    const told: string[] = [];
    await repeatPairs(
      [silent],
      { softMs: 1000, hardMs: 1000, enough: 100, precision: 0.05 },
      {
        ...{ known: {}, givenUp: [], random: randomFrom(1), since: () => 0, lacking: () => undefined },
        failed: (_, error) => told.push(String(error)),
      },
    );
    assert.match(told.join(), /^Error: a turn of silent gave nothing of x$/);
  });
});

test('a reason of time is known from any other', () => {
  assert.ok(isNoTime(noTime(0, 4)) && isNoTime(noTime(2, 5)));
  assert.match(noTime(2, 5), /2 of the 5 turns/);
  assert.ok(!isNoTime('there was an error'));
});

test('what a block will take is known from those before it', () => {
  let now = 0;
  const pace = new Pace(() => now);
  assert.equal(pace.leastOf({ weight: 1000 }, 10), 0);
  const watch = pace.begin({ weight: 5, jobs: ['one', 'other'] });
  now = 3000;
  for (let turn = 0; turn < 4; turn++) {
    watch.told('begins');
    now += 2000;
    watch.told('sample');
  }
  watch.told('done');
  now += 500;
  watch.ended();
  assert.equal(pace.tearDown, 500);
  // Two turns of all its jobs took 8 s, and 2 were thought of.
  assert.equal(pace.leastOf({ weight: 10 }, 3), 3000 + 500 + 4 * 2000 * 3);
});
