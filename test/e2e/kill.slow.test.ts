/**
 * Crash-only: every operation is killed before each of its calls into `src/linux/` in turn. After the next commands what
 * was reported done is there and whole, what was not is gone or complete, and nothing is left over: see recount.ts.
 */
import { describe, test } from 'node:test';
import { inFullRuns } from '../helpers/scope.ts';
import { killAtEach } from './no-loss/kill-at-each.ts';
import {
  CONTAINER_OPERATIONS,
  DRIVER_OPERATIONS,
  FROZEN_COMMIT,
  IMAGE_OPERATIONS,
  LARGE_LOAD,
  PAIR_LOAD,
  RUN_OPERATIONS,
} from './no-loss/operations.ts';
import { checkWritten, WRITERS } from './no-loss/writers.ts';

describe('killed on overlay2', () => {
  for (const operation of [
    ...IMAGE_OPERATIONS,
    PAIR_LOAD,
    ...CONTAINER_OPERATIONS,
    ...RUN_OPERATIONS,
    FROZEN_COMMIT,
  ]) {
    test(operation.name, async (t) => {
      t.diagnostic(await killAtEach(operation, 'overlay2'));
    });
  }
  for (const operation of WRITERS) {
    test(operation.name, async (t) => {
      t.diagnostic(await killAtEach(operation, 'overlay2', { check: checkWritten }));
    });
  }
  test(LARGE_LOAD.name, async (t) => {
    t.diagnostic(await killAtEach(LARGE_LOAD, 'overlay2'));
    // Its calls are the same ones for 50 files; 7 is no divisor of how many a file takes.
    t.diagnostic(await killAtEach(LARGE_LOAD, 'overlay2', { thread: 'worker', stride: 7 }));
  });
});

// The stores' steps are the same on every driver: only the driver's own differ.
describe('killed on vfs', () => {
  for (const operation of DRIVER_OPERATIONS) {
    const skip = !/^load |^rm$/.test(operation.name) && inFullRuns('load and rm in every run');
    test(operation.name, { skip }, async (t) => {
      t.diagnostic(await killAtEach(operation, 'vfs'));
    });
  }
});
