import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { isSuspended, suspendedPoolOf } from '../../src/linux/suspended-pool.ts';

// A path on a pool that is suspended: test/lab/zfs.slow.test.ts.
test('a pool is suspended when the kernel says so, and not when it knows none of that name', () => {
  const pools = fs.mkdtempSync(`${tmpdir()}/tsengine-pools-`);
  try {
    for (const [pool, state] of Object.entries({ good: 'ONLINE', worse: 'DEGRADED', stuck: 'SUSPENDED' })) {
      fs.mkdirSync(`${pools}/${pool}`);
      fs.writeFileSync(`${pools}/${pool}/state`, `${state}\n`);
    }
    const answers = ['good', 'worse', 'stuck', 'none'].map((pool) => isSuspended(pool, pools));
    assert.deepEqual(answers, [false, false, true, false]);
    // /proc is on no pool.
    assert.equal(suspendedPoolOf('/proc/self', pools), undefined);
    assert.equal(suspendedPoolOf('/proc/self', `${pools}/nowhere`), undefined);
  } finally {
    fs.rmSync(pools, { recursive: true });
  }
});
