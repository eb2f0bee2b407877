import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compareResults } from '../../../bench/suite/compare/compare.ts';
import { randomFrom } from '../../../bench/suite/random.ts';
import { figuresOf } from '../../../bench/suite/report/figures.ts';
import { turnsOf } from '../../../bench/suite/report/turns.ts';
import { adviceOf } from '../../../bench/suite/report/words.ts';
import type { Result, Series } from '../../../bench/suite/schema.ts';
import { madeResult, subject } from '../../helpers/bench-results.ts';

const subjects = [subject('raw@ext4'), subject('overlay2@ext4')];
const empty = madeResult({ subjects, workloads: [], truth: () => undefined });

function series(id: string, samples: readonly (readonly [at: number, value: number])[]): Series {
  return { subject: id, workload: 'w', point: {}, samples: samples.map(([at, value]) => ({ at, value })) };
}

describe('turns', () => {
  test('last until another subject has a sample, and count once each', () => {
    const own = series('overlay2@ext4', [
      [1, 10],
      [2, 12],
      [3, 11],
      [5, 20],
      [7, 30],
      [8, 50],
    ]);
    const other = series('raw@ext4', [
      [4, 1],
      [6, 2],
    ]);
    const turns = turnsOf({ ...empty, series: [own, other] });
    assert.deepEqual(turns(own), { values: [11, 20, 40], turns: [1, 3, 5] });
    assert.deepEqual(turns(other), { values: [1, 2], turns: [2, 4] });
  });

  test('are those that samples carry the numbers of, where they do', () => {
    const own = series('overlay2@ext4', [
      [10, 1],
      [10, 3],
      [20, 5],
      [30, 7],
    ]);
    const numbered = {
      ...own,
      samples: own.samples.map((sample, index) => ({ ...sample, turn: index < 2 ? 4 : 15 + index })),
    };
    // Nobody else had a turn in between, and there are three all the same.
    const result = { ...empty, series: [numbered, series('raw@ext4', [[40, 1]])] };
    assert.deepEqual(turnsOf(result)(numbered), { values: [2, 5, 7], turns: [1, 2, 3] });
    const both = { ...empty, series: [numbered, { ...numbered, workload: 'v' }] };
    assert.deepEqual(turnsOf(both)(numbered).turns, [1, 2, 3], 'of one turn whatever the workload');
  });

  test('are of one machine: another one goes on by itself, and one subject alone has none', () => {
    const far = subject('raw@zfs+lab');
    const own = series('overlay2@ext4', [
      [1, 10],
      [3, 20],
    ]);
    const alone = series(far.id, [
      [2, 1],
      [4, 2],
    ]);
    const result: Result = { ...empty, subjects: [...subjects, far], series: [own, alone] };
    assert.deepEqual(turnsOf(result)(alone).values, [1, 2]);
    const both = { ...result, series: [own, series('raw@ext4', [[5, 1]]), alone] };
    assert.deepEqual(turnsOf(both)(own).values, [15]);
  });

  test('keep what hangs together from being taken for a difference', () => {
    /** Turns differ by a tenth and more, samples within one by almost nothing. */
    const made = (seed: number): Result => {
      const random = randomFrom(seed);
      const plain = madeResult({
        subjects,
        workloads: ['small'],
        truth: () => 1000,
        samples: 6,
        noise: 0,
        seed,
      });
      return {
        ...plain,
        series: plain.series.map((one) => ({
          ...one,
          samples: one.samples.flatMap(({ at, value }) => {
            const factor = Math.exp(0.2 * (random() + random() - 1));
            return [0, 0.1, 0.2].map((later) => ({
              at: at + later,
              value: value * factor * (1 + 0.001 * random()),
            }));
          }),
        })),
      };
    };
    let found = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const { changes } = compareResults(made(seed), made(seed + 500));
      if (changes.some(({ sort }) => sort === 'worse' || sort === 'better')) found += 1;
    }
    assert.ok(found <= 5, `differences in ${found} of 100 pairs`);
    // Nor is it one over several workloads of the same turns.
    const twins = (seed: number): Result => {
      const one = made(seed);
      return {
        ...one,
        subjects: subjects.map((two) => ({ ...two, kind: 'driver' as const, driver: two.id })),
      };
    };
    const told = Array.from({ length: 100 }, (_, seed) => adviceOf(figuresOf(twins(seed))));
    const wrong = told.filter((list) => list.some(({ isDifference }) => isDifference)).length;
    assert.ok(wrong <= 5, `words of a difference in ${wrong} of 100`);
    const [figure] = figuresOf(made(1)).list;
    assert.deepEqual([figure?.samples, figure?.values.length], [18, 6]);
  });
});
