/**
 * How long a machine takes from the start of QEMU to its command: at most six seconds with Debian's 6.1, where QEMU translates. In a full
 * run, and the best of several; a machine that is busy with other things says nothing about the lab, and is not judged.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runInMachine } from '../../src/lab/lab.ts';
import { readTextIfAny } from '../../src/linux/files.ts';
import { FULL } from '../helpers/scope.ts';

/** Milliseconds. */
const BUDGET = 6000;
const BOOTS = 3;

/** How much of the last ten seconds somebody waited for a processor, in percent, above which this machine is busy. */
const BUSY = 25;

/** Whether others keep this machine busy for two minutes. Source: the kernel's Documentation/accounting/psi.rst. */
async function isBusy(): Promise<boolean> {
  for (let waited = 0; waited < 120; waited += 5) {
    const [, share = ''] = /^some avg10=([\d.]+)/.exec(readTextIfAny('/proc/pressure/cpu') ?? '') ?? [];
    if (Number(share) < BUSY) return false;
    await sleep(5000);
  }
  return true;
}

test('6.1 is at its command within six seconds', {
  timeout: 1_800_000,
  skip: FULL ? false : 'npm run test:full',
}, async (t) => {
  if (await isBusy()) {
    t.skip('this machine is busy');
    return;
  }
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
