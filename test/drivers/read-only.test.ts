/** Drivers that only look: nothing is written, and whatever would is refused. What they show: test/e2e/read-only-root.slow.test.ts. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { DriverName } from '../../src/drivers/driver.ts';
import { driverFactory } from '../../src/drivers/registry.ts';
import { listing } from '../e2e/docker-roots/listing.ts';
import { collect, streamOf, tarOf } from '../helpers/images.ts';
import { makeStore } from '../helpers/stores.ts';

const BASE = 'a'.repeat(64);
const TOP = 'b'.repeat(64);
const NEW = 'c'.repeat(64);

for (const name of ['overlay2', 'vfs'] as const satisfies readonly DriverName[]) {
  describe(`${name}, opened for reading`, () => {
    test('writes nothing, and gives trees and differences', async () => {
      using store = makeStore();
      const writer = await store.open(name);
      await writer.create(BASE, undefined);
      await writer.applyDiff(
        BASE,
        undefined,
        streamOf(tarOf([{ name: 'd/' }, { name: 'd/low', content: 'low' }])),
      );
      await writer.createReadWrite(TOP, BASE);
      const changes = [{ name: 'd/' }, { name: 'd/.wh.low' }, { name: 'd/top', content: 'top' }];
      await writer.applyDiff(TOP, BASE, streamOf(tarOf(changes)));
      const wanted = await collect(writer.diff(TOP, BASE));
      const before = listing(store.dataRoot);

      const driver = await (await driverFactory(name)).open({ ...store.context(name), readOnly: true });
      assert.deepEqual((await driver.list()).toSorted(), [BASE, TOP]);
      assert.deepEqual(await collect(driver.diff(TOP, BASE)), wanted);
      assert.deepEqual(await driver.changes(TOP, BASE), await writer.changes(TOP, BASE));
      {
        await using mounted = await driver.get(TOP);
        assert.equal(existsSync(`${mounted.path}/d/low`), false);
        assert.equal(existsSync(`${mounted.path}/d/top`), true);
        if (name === 'overlay2') {
          assert.throws(() => writeFileSync(`${mounted.path}/d/new`, ''), { code: 'EROFS' });
          assert.throws(() => chmodSync(`${mounted.path}/d/top`, 0o600), { code: 'EROFS' });
        }
      }
      await driver.put(TOP);
      await driver.status();
      await driver.cleanup();
      const refused = {
        code: 'Forbidden',
        message: `${name}: opened with --read-only-root, and this would change it`,
      };
      await assert.rejects(driver.create(NEW, BASE), refused);
      await assert.rejects(driver.createReadWrite(NEW, BASE), refused);
      await assert.rejects(driver.applyDiff(TOP, BASE, streamOf(tarOf([]))), refused);
      await assert.rejects(driver.remove(TOP), refused);
      assert.deepEqual(listing(store.dataRoot), before);
    });

    test('says what is missing, and makes nothing of a home that is not there', async () => {
      using store = makeStore();
      const driver = await (await driverFactory(name)).open({ ...store.context(name), readOnly: true });
      assert.deepEqual(await driver.list(), []);
      await assert.rejects(driver.get(TOP), { code: 'NotFound' });
      const [[label] = []] = await driver.status();
      assert.equal(label, 'Backing Filesystem');
      assert.equal(existsSync(`${store.dataRoot}/${name}`), false);
    });
  });
}
