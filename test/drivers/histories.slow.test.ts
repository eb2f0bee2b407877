/** The random histories find what a driver does wrong, and say it shortly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHECKS } from '../../src/drivers/conformance/index.ts';
import type { GraphDriver } from '../../src/drivers/driver.ts';
import { makeSubject } from '../helpers/stores.ts';

/** A driver that forgets what was deleted in a layer that has a parent. */
function forgetful(driver: GraphDriver): GraphDriver {
  return new Proxy(driver, {
    get(target, name) {
      if (name === 'changes')
        return async (id: string, parent?: string) =>
          (await target.changes(id, parent)).filter(({ kind }) => parent === undefined || kind !== 'deleted');
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

test('a driver that is wrong fails with the seed and the shortest history that shows it', async () => {
  await using subject = await makeSubject('vfs');
  const check = CHECKS.find(({ name }) => name.startsWith('15 random'));
  assert.ok(check !== undefined);
  await assert.rejects(check.run({ ...subject, driver: forgetful(subject.driver) }), (error) => {
    assert.ok(error instanceof Error);
    // Something is made in one layer and taken away in the next: two operations, whichever they are.
    assert.match(error.message, /^seed \d+, layer 1: [^,;]+; layer 2: (rm|mv)[^,;]+: /);
    assert.match(error.message, /deleted/);
    return true;
  });
});
