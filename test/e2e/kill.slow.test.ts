/**
 * Crash-only: every operation is killed before each of its calls into `src/linux/` in turn, or before some (sampling.ts). After the next commands what
 * was reported done is there and whole, what was not is gone or complete, and nothing is left over: see recount.ts.
 */
import { describe, test } from 'node:test';
import { killAtEach } from './no-loss/kill-at-each.ts';
import { CONTAINER_OPERATIONS, IMAGE_OPERATIONS, LARGE_LOAD, RUN_OPERATIONS } from './no-loss/operations.ts';
import { oneIn } from './no-loss/sampling.ts';

describe('killed on overlay2', () => {
  const strides = [
    [IMAGE_OPERATIONS, 2],
    [CONTAINER_OPERATIONS, 5],
    [RUN_OPERATIONS, 11],
  ] as const;
  for (const [operations, stride] of strides) {
    for (const operation of operations) {
      test(operation.name, async (t) => {
        t.diagnostic(await killAtEach(operation, 'overlay2', { sampling: oneIn(stride) }));
      });
    }
  }
  test(LARGE_LOAD.name, async (t) => {
    t.diagnostic(await killAtEach(LARGE_LOAD, 'overlay2', { sampling: oneIn(97) }));
  });
});

// The stores' steps are the same on every driver: only the driver's own differ.
describe('killed on vfs', () => {
  const names = /^(load|create|commit|rm|rmi)\b(?!.*runs)/;
  for (const operation of [...IMAGE_OPERATIONS, ...CONTAINER_OPERATIONS]) {
    if (!names.test(operation.name)) continue;
    test(operation.name, async (t) => {
      t.diagnostic(await killAtEach(operation, 'vfs', { sampling: oneIn(9) }));
    });
  }
});
