import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { forEachName } from '../../src/cli/each.ts';

after(() => {
  process.exitCode = 0;
});

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('work at once is for fifty at most, fails one by one, and is done when all is', async () => {
  let now = 0;
  let most = 0;
  let done = 0;
  const names = Array.from({ length: 120 }, (_, index) => `n${index}`);
  const failed = await forEachName(
    names,
    async (name) => {
      most = Math.max(most, ++now);
      await sleep(name === 'n3' ? 30 : 2);
      now -= 1;
      done += 1;
      if (name.endsWith('7')) throw new Error(`no ${name}`);
    },
    { atOnce: true },
  );
  assert.deepEqual([most, now, done], [50, 0, 120]);
  assert.deepEqual(
    failed,
    names.filter((name) => name.endsWith('7')),
  );
});

test('without that it is one after the other', async () => {
  let now = 0;
  await forEachName(['a', 'b', 'c'], async () => {
    assert.equal(++now, 1);
    await sleep(2);
    now -= 1;
  });
});
