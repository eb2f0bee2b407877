import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { dirtyBytes, measureRounds, sumOf, timed } from '../../bench/measure.ts';
import { randomFrom } from '../../bench/suite/random.ts';

const rounds = { warmups: 0, clock: () => 0, progress: () => {} };

describe('measureRounds', () => {
  test('lets all run in each round, in an order that the seed draws, and leaves out warm-ups alone', async () => {
    const measured = async (seed: number) => {
      const order: string[] = [];
      const contestants = ['a', 'b', 'c'].map((name) => ({
        name,
        sample: async () => ({ [name]: order.push(name) }),
      }));
      const progress: string[] = [];
      const series = await measureRounds(contestants, {
        ...{ ...rounds, runs: 20, warmups: 1, random: randomFrom(seed) },
        clock: () => order.length + 0.4,
        progress: (text) => progress.push(text),
      });
      return { order, progress, series };
    };
    const { order, progress, series } = await measured(7);
    const each = Array.from({ length: 21 }, (_, round) => order.slice(3 * round, 3 * round + 3));
    for (const one of each) assert.deepEqual(one.toSorted(), ['a', 'b', 'c']);
    assert.equal(new Set(each.map((one) => one.join(''))).size, 6, 'every order comes up');
    assert.deepEqual([...series.keys()], ['a', 'b', 'c']);
    for (const [name, samples] of series)
      assert.deepEqual(
        samples.map(({ value, at }) => [value, at]),
        order.flatMap((one, index) => (one === name && index > 2 ? [[index + 1, index + 1]] : [])),
      );
    assert.deepEqual(progress.slice(2, 4), [`warm-up: ${order[2]}`, `round 1 of 20: ${order[3]}`]);
    assert.deepEqual((await measured(7)).order, order);
    assert.notDeepEqual((await measured(8)).order, order);
  });

  test('keeps several values of one sample apart, takes none, and keeps what disturbed them', async () => {
    let round = 0;
    const contestants = [
      {
        name: 'two',
        sample: async () => ({ one: 1, other: { value: 2.00049, disturbed: ['steal' as const] } }),
      },
      { name: 'sometimes', sample: async () => (round++ === 0 ? { few: 5 } : {}) },
    ];
    const series = await measureRounds(contestants, { ...rounds, runs: 2, random: randomFrom(1) });
    const other = { value: 2, at: 0, disturbed: ['steal'] };
    assert.deepEqual(Object.fromEntries(series), {
      one: [
        { value: 1, at: 0 },
        { value: 1, at: 0 },
      ],
      other: [other, other],
      few: [{ value: 5, at: 0 }],
    });
  });
});

test('sumOf adds up, and has what disturbed any of them once', () => {
  assert.deepEqual(sumOf({ value: 1 }, { value: 2 }), { value: 3 });
  const summed = sumOf({ value: 1, disturbed: ['load'] }, { value: 2, disturbed: ['steal', 'load'] });
  assert.deepEqual(summed, { value: 3, disturbed: ['load', 'steal'] });
});

describe('timed', () => {
  test('waits for the command, not for what it leaves behind', () => {
    const folder = mkdtempSync(`${tmpdir()}/tsengine-test-`);
    try {
      timed({ argv: ['sh', '-c', 'sleep 600 & echo $! >"$0"', `${folder}/pid`] });
      const pid = Number(readFileSync(`${folder}/pid`, 'utf8'));
      assert.ok(pid > 1 && process.kill(pid, 'SIGKILL'), 'it is still there to be killed');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('says what a failing command said', () => {
    assert.throws(
      () => timed({ argv: ['sh', '-c', 'echo no such luck >&2; exit 3'] }),
      /ended with 3: no such luck/,
    );
    assert.throws(() => timed({ argv: ['/nonexistent/program'] }), /nonexistent/);
  });
});

test('dirtyBytes adds up what is dirty and what is being written, and nothing else', () => {
  const text = 'MemFree: 9 kB\nDirty:      12 kB\nWriteback:    3 kB\nWritebackTmp: 100 kB\n';
  assert.equal(dirtyBytes(text), 15 * 1024);
});
