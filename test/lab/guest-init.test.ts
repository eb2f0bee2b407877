import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INIT_SCRIPT, neededModules } from '../../src/lab/guest-init.ts';

test('without a list of modules the first program tries all that a machine needs', () => {
  const tried = /for name in (.+); do modprobe/.exec(INIT_SCRIPT)?.[1]?.split(' ') ?? [];
  assert.deepEqual(
    neededModules.filter((name) => !tried.includes(name)),
    [],
  );
});
