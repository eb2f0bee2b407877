/**
 * How long a machine takes from the start of QEMU to its command: at most six seconds with Debian's 6.1, where QEMU translates. In a full
 * run, and the best of several, because a busy machine says nothing about the lab.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInMachine } from '../../src/lab/lab.ts';
import { FULL } from '../helpers/scope.ts';

/** Milliseconds. */
const BUDGET = 6000;
const BOOTS = 3;

test('6.1 is at its command within six seconds', {
  timeout: 1_800_000,
  skip: FULL ? false : 'npm run test:full',
}, async (t) => {
  const times: number[] = [];
  // Once it is fast enough there is nothing more to see.
  while (times.length < BOOTS && !times.some((time) => time <= BUDGET)) {
    const { exitCode, bootMs } = await runInMachine({ kernel: 'debian:6.1', command: ['true'] });
    assert.equal(exitCode, 0);
    times.push(bootMs);
  }
  t.diagnostic(`boots took ${times.join(', ')} ms`);
  assert.ok(Math.min(...times) <= BUDGET, `boots took ${times.join(', ')} ms, and ${BUDGET} are allowed`);
});
