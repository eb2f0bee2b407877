import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Asks again until the answer is yes; a bounded number of times, each of which starts a process. */
export async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  for (let asked = 0; !(await done()); asked += 1) {
    assert.ok(asked < 300, 'it never came to that');
    await sleep(50);
  }
}
