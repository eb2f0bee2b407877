/**
 * Crash-only: every operation is killed before each of its calls into `src/linux/` in turn. After the next commands what
 * was reported done is there and whole, what was not is gone or complete, and nothing is left over: see recount.ts.
 */
import { describe, test } from 'node:test';
import { killAtEach } from './no-loss/kill-at-each.ts';
import { CONTAINER_OPERATIONS, IMAGE_OPERATIONS, LARGE_LOAD, RUN_OPERATIONS } from './no-loss/operations.ts';

describe('killed on overlay2', () => {
  for (const operation of [...IMAGE_OPERATIONS, ...CONTAINER_OPERATIONS, ...RUN_OPERATIONS]) {
    test(operation.name, async (t) => {
      t.diagnostic(await killAtEach(operation, 'overlay2'));
    });
  }
  // Most of its calls are the same ones for 300 files.
  test(LARGE_LOAD.name, async (t) => {
    t.diagnostic(await killAtEach(LARGE_LOAD, 'overlay2', { stride: 31 }));
  });
});

// The stores' steps are the same on every driver: only the driver's own differ.
describe('killed on vfs', () => {
  const names = /^(load|create|commit|rm|rmi)\b(?!.*runs)/;
  for (const operation of [...IMAGE_OPERATIONS, ...CONTAINER_OPERATIONS]) {
    if (!names.test(operation.name)) continue;
    test(operation.name, async (t) => {
      t.diagnostic(await killAtEach(operation, 'vfs'));
    });
  }
});
