import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { conclude } from '../../bench/comparison.ts';
import { dirtyBytes, measureRounds, rotated, timed } from '../../bench/measure.ts';
import { summarize } from '../../bench/statistics.ts';

describe('summarize', () => {
  test('interpolates percentiles, whatever the order', () => {
    assert.deepEqual(summarize([4, 1, 3, 2]), {
      runs: 4,
      median: 2.5,
      p10: 1.3,
      p90: 3.7,
      min: 1,
      max: 4,
    });
  });

  test('of one figure is that figure', () => {
    assert.deepEqual(summarize([7]), { runs: 1, median: 7, p10: 7, p90: 7, min: 7, max: 7 });
  });
});

describe('measureRounds', () => {
  test('lets all run in each round, another first each time, and leaves out warm-ups alone', async () => {
    const order: string[] = [];
    const contestant = (name: string) => ({
      name,
      sample: async () => ({ [name]: order.push(name) }),
    });
    const progress: string[] = [];
    const series = await measureRounds(['a', 'b', 'c'].map(contestant), {
      runs: 2,
      warmups: 1,
      progress: (text) => progress.push(text),
    });
    assert.equal(order.join(''), 'abcbcacab');
    assert.deepEqual(
      [...series],
      [
        ['a', [6, 8]],
        ['b', [4, 9]],
        ['c', [5, 7]],
      ],
    );
    assert.deepEqual(progress.slice(2, 4), ['warm-up: c', 'round 1 of 2: b']);
  });

  test('keeps several figures of one sample apart, and takes none', async () => {
    let round = 0;
    const contestants = [
      { name: 'two', sample: async () => ({ one: 1, other: 2 }) },
      { name: 'sometimes', sample: async () => (round++ === 0 ? { few: 5 } : {}) },
    ];
    const series = await measureRounds(contestants, { runs: 3, warmups: 0, progress: () => {} });
    assert.deepEqual(Object.fromEntries(series), { one: [1, 1, 1], other: [2, 2, 2], few: [5] });
  });

  test('rotates', () => {
    assert.deepEqual(rotated([1, 2, 3], 4), [2, 3, 1]);
    assert.deepEqual(rotated([], 4), []);
  });
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

describe('conclude', () => {
  const base = { name: 'n', title: 't', unit: 'ms' } as const;
  const values = new Map([
    ['ours', [5, 6, 50]],
    ['theirs', [10, 10, 10]],
  ]);

  test('holds the median against that of the other', () => {
    const claims = [
      { series: 'ours', baseline: 'theirs', limit: 0.6 },
      { series: 'ours', baseline: 'theirs', limit: 0.59 },
      { series: 'theirs', baseline: 'ours' },
    ];
    const { verdicts } = conclude({ ...base, values, claims });
    assert.deepEqual(
      verdicts.map(({ value, kept }) => [value, kept]),
      [
        [0.6, true],
        [0.6, false],
        [10 / 6, undefined],
      ],
    );
  });

  test('holds the worst figure against a limit of its own', () => {
    const { verdicts } = conclude({ ...base, values, claims: [{ series: 'ours', limit: 49 }] });
    assert.deepEqual(
      verdicts.map(({ value, kept }) => [value, kept]),
      [[50, false]],
    );
  });

  test('throws on a claim about what was not measured', () => {
    assert.throws(
      () => conclude({ ...base, values, claims: [{ series: 'nobody' }] }),
      /nothing measured nobody/,
    );
  });
});
