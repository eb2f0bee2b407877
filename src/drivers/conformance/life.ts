/** Checks on how layers come, are mounted and go. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import {
  assertFails,
  collect,
  containerLayer,
  described,
  imageLayer,
  inside,
  isMounted,
  streamOf,
} from './layers.ts';
import { type Check, newId } from './suite.ts';
import { tarOf } from './tar.ts';
import { write } from './trees.ts';

/** Whatever is made below the driver's home while something runs, and still there afterwards. */
function namesBelow(home: string): string[] {
  return fs.readdirSync(home, { recursive: true, encoding: 'utf8' }).sort();
}

export const lifeChecks: readonly Check[] = [
  {
    name: 'a new layer is there, empty, with a root of mode 755 that belongs to root',
    run: async ({ driver }) => {
      const id = newId();
      assert.equal(await driver.exists(id), false);
      await driver.create(id, undefined);
      assert.equal(await driver.exists(id), true);
      assert.ok((await driver.list()).includes(id));
      await inside(driver, id, (root) => {
        assert.deepEqual(fs.readdirSync(root), []);
        const { mode, uid, gid } = fs.lstatSync(root);
        assert.deepEqual([mode & 0o7777, uid, gid], [0o755, 0, 0]);
      });
    },
  },
  {
    name: 'a layer shows its parent and changes of its own, and the parent stays as it was',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        write(`${root}/kept`, 'kept');
        write(`${root}/changed`, 'before');
      });
      const before = await described(driver, base);
      const top = await imageLayer(driver, base, (root) => {
        write(`${root}/changed`, 'after, and longer');
        write(`${root}/added`, 'new');
      });
      await inside(driver, top, (root) => {
        assert.equal(fs.readFileSync(`${root}/kept`, 'utf8'), 'kept');
        assert.equal(fs.readFileSync(`${root}/changed`, 'utf8'), 'after, and longer');
        assert.equal(fs.readFileSync(`${root}/added`, 'utf8'), 'new');
      });
      assert.deepEqual(await described(driver, base), before);
    },
  },
  {
    name: 'two containers on one image do not see each other',
    run: async ({ driver }) => {
      const image = await imageLayer(driver, undefined, (root) => write(`${root}/file`, 'image'));
      const one = await containerLayer(driver, image);
      const two = await containerLayer(driver, image);
      await using first = await driver.get(one);
      await using second = await driver.get(two);
      write(`${first.path}/file`, 'one');
      fs.rmSync(`${second.path}/file`);
      assert.equal(fs.readFileSync(`${first.path}/file`, 'utf8'), 'one');
      assert.deepEqual(fs.readdirSync(second.path), []);
      assert.equal(await inside(driver, image, (root) => fs.readFileSync(`${root}/file`, 'utf8')), 'image');
    },
  },
  {
    name: "a new layer's root has the mode and owner of its parent's",
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        write(`${root}/file`, '');
        fs.chownSync(root, 7, 8);
        fs.chmodSync(root, 0o1711);
      });
      const top = await imageLayer(driver, base, () => {});
      await inside(driver, await containerLayer(driver, top), (root) => {
        const { mode, uid, gid } = fs.lstatSync(root);
        assert.deepEqual([mode & 0o7777, uid, gid], [0o1711, 7, 8]);
      });
    },
  },
  {
    name: 'what a container wrote is there when it is mounted again, and after the driver was opened again',
    run: async (subject) => {
      const image = await imageLayer(subject.driver, undefined, (root) => write(`${root}/a`, 'a'));
      const id = await containerLayer(subject.driver, image);
      await inside(subject.driver, id, (root) => write(`${root}/b`, 'b'));
      const before = await described(subject.driver, id);
      assert.equal(before.length, 2);
      const again = await subject.open();
      assert.deepEqual(await described(again, id), before);
      assert.deepEqual([...(await again.list())].sort(), [...(await subject.driver.list())].sort());
    },
  },
  {
    name: 'all users of a mount see one path, and it stays until the last has gone',
    run: async ({ driver }) => {
      const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      const id = await containerLayer(driver, image);
      const first = await driver.get(id);
      const second = await driver.get(id);
      const third = await driver.get(id);
      assert.equal(first.path, second.path);
      await first[Symbol.asyncDispose]();
      await first[Symbol.asyncDispose]();
      await driver.put(id);
      assert.equal(fs.readFileSync(`${third.path}/a`, 'utf8'), 'a');
      await third[Symbol.asyncDispose]();
      assert.equal(isMounted(third.path), false);
      await driver.put(id);
      await driver.put(id);
      await inside(driver, id, (root) => assert.equal(fs.readFileSync(`${root}/a`, 'utf8'), 'a'));
    },
  },
  {
    name: 'a mount is counted over processes',
    lengthy: true,
    run: async (subject) => {
      const { driver } = subject;
      const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      const id = await containerLayer(driver, image);
      const mounted = await driver.get(id);
      const elsewhere = await subject.elsewhere({ call: 'get', id });
      assert.equal(elsewhere.output, mounted.path);
      await mounted[Symbol.asyncDispose]();
      assert.equal(fs.readFileSync(`${mounted.path}/a`, 'utf8'), 'a');
      await subject.elsewhere({ call: 'put', id });
      assert.equal(isMounted(mounted.path), false);
    },
  },
  {
    name: 'gets and puts of several processes at once end with nothing mounted',
    lengthy: true,
    run: async (subject) => {
      const image = await imageLayer(subject.driver, undefined, (root) => write(`${root}/a`, 'a'));
      const id = await containerLayer(subject.driver, image);
      const rounds = [1, 2, 3].map(async () => {
        await subject.elsewhere({ call: 'get', id });
        for (let i = 0; i < 20; i++) {
          await inside(subject.driver, id, (root) => fs.readFileSync(`${root}/a`));
        }
        await subject.elsewhere({ call: 'put', id });
      });
      await Promise.all(rounds);
      const { path } = await subject.driver.get(id);
      await subject.driver.put(id);
      assert.equal(isMounted(path), false);
    },
  },
  {
    name: 'a removed layer is gone with all its traces, and removing it again is no error',
    run: async ({ driver, home }) => {
      const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      // The parent's mark that it has children stays.
      const earlier = await containerLayer(driver, image);
      await driver.remove(earlier);
      await driver.remove(`${earlier}-init`);
      const before = namesBelow(home);
      const id = await containerLayer(driver, image);
      await inside(driver, id, (root) => write(`${root}/b`, 'b'));
      await driver.remove(id);
      await driver.remove(`${id}-init`);
      assert.equal(await driver.exists(id), false);
      assert.equal((await driver.list()).includes(id), false);
      assert.deepEqual(namesBelow(home), before);
      await driver.remove(id);
    },
  },
  {
    name: 'an id can be used again after its layer was removed',
    run: async ({ driver }) => {
      const id = await imageLayer(driver, undefined, (root) => write(`${root}/old`, 'old'));
      await driver.remove(id);
      await driver.create(id, undefined);
      assert.deepEqual(await described(driver, id), []);
    },
  },
  {
    name: 'a layer that is in use is not removed where the driver mounts, and goes at once where it does not',
    run: async ({ driver }) => {
      const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      const id = await containerLayer(driver, image);
      await inside(driver, id, async (root) => {
        assert.equal(isMounted(root), driver.capabilities.mounts);
        if (!driver.capabilities.mounts) {
          await driver.remove(id);
          assert.equal(fs.existsSync(root), false);
          return;
        }
        await assertFails(driver.remove(id), 'Conflict', /in use/);
        assert.equal(fs.readFileSync(`${root}/a`, 'utf8'), 'a');
      });
      await driver.remove(id);
      assert.equal(await driver.exists(id), false);
    },
  },
  {
    name: 'a layer on which another one stands is not removed, or goes and that one keeps what it has, as the driver says',
    run: async (subject) => {
      const { driver } = subject;
      const base = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      const top = await imageLayer(driver, base, (root) => write(`${root}/b`, 'b'));
      const before = [await described(driver, base), await described(driver, top)];
      assert.deepEqual([before[0]?.length, before[1]?.length], [1, 2]);
      const { refusesParents } = driver.capabilities;
      // Who opens it later knows of children as well.
      for (const opened of [driver, await subject.open()]) {
        if (refusesParents) await assertFails(opened.remove(base), 'Conflict', new RegExp(top));
        else await opened.remove(base);
        assert.equal(await driver.exists(base), refusesParents);
        if (refusesParents) assert.deepEqual(await described(opened, base), before[0]);
        assert.deepEqual(await described(opened, top), before[1]);
      }
      await driver.remove(top);
      await driver.remove(base);
      assert.equal(await driver.exists(base), false);
    },
  },
  {
    name: 'creating an id that is taken fails and changes nothing',
    run: async ({ driver }) => {
      const id = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      const before = await described(driver, id);
      await assertFails(driver.create(id, undefined), 'Conflict', /exists/);
      await assertFails(driver.createReadWrite(id, undefined), 'Conflict', /exists/);
      assert.deepEqual(await described(driver, id), before);
    },
  },
  {
    name: 'a layer that is not there is said not to be, by every method',
    run: async ({ driver }) => {
      const id = newId();
      await assertFails(driver.get(id), 'NotFound', /no such layer/);
      await assertFails(driver.metadata(id), 'NotFound');
      await assertFails(driver.changes(id, undefined), 'NotFound');
      await assertFails(driver.diffSize(id, undefined), 'NotFound');
      await assertFails(driver.diffSource(id, undefined), 'NotFound');
      await assertFails(collect(driver.diff(id, undefined)), 'NotFound');
      await assertFails(driver.applyDiff(id, undefined, streamOf(tarOf([]))), 'NotFound');
      await assertFails(driver.create(newId(), id), 'NotFound');
      await driver.put(id);
    },
  },
  {
    name: 'an id that would lead out of the store is refused by every method that could follow it',
    run: async ({ driver }) => {
      for (const id of ['../outside', '..', '.', '', 'a/b', '.tsengine', 'x\ny', 'l']) {
        await assertFails(driver.create(id, undefined), 'InvalidParameter', /invalid layer id/);
        await assertFails(driver.remove(id), 'InvalidParameter', /invalid layer id/);
        await assertFails(driver.get(id), 'InvalidParameter', /invalid layer id/);
        assert.equal(await driver.exists(id), false);
      }
    },
  },
  {
    name: 'an option that the driver does not know is refused by name',
    run: async ({ driver }) => {
      const id = newId();
      const options = { storageOptions: { nonsense: '1' } };
      await assertFails(driver.createReadWrite(id, undefined, options), 'InvalidParameter', /nonsense/);
      assert.equal(await driver.exists(id), false);
    },
  },
];
