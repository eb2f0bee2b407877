/** Checks on a store that several have opened, that a boot has gone over, and on many layers and names at once. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { resolve } from 'node:path';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { changeLines, collect, containerLayer, imageLayer, inside, isMounted, streamOf } from './layers.ts';
import { type Check, newId, type Subject } from './suite.ts';
import { write } from './trees.ts';

/** Layers at once, half of them by another opening of the driver. */
const AT_ONCE = 200;
/** Names of a large directory: several blocks of every filesystem's index. */
const NAMES = 10_000;

/** What a boot takes away, whoever still counted on it: the mounts below the store, and all that is on tmpfs, unless the run folder is elsewhere. */
function boot({ home, runHome }: Subject, forgets: boolean): void {
  const points = readMountInfo().map(({ mountPoint }) => mountPoint.toString());
  const ours = points.filter((point) =>
    [home, runHome].some((folder) => point.startsWith(`${resolve(folder)}/`)),
  );
  for (const point of ours.reverse()) unmount(point, MNT_DETACH);
  if (forgets) fs.rmSync(runHome, { recursive: true, force: true });
}

export const openingChecks: readonly Check[] = [
  {
    name: 'what another process makes is there at once, and what it removes is gone',
    lengthy: true,
    run: async ({ driver, elsewhere }) => {
      const id = newId();
      await elsewhere({ call: 'create', id });
      assert.equal(await driver.exists(id), true);
      const top = await imageLayer(driver, id, (root) => write(`${root}/a`, 'a'));
      await driver.remove(top);
      await elsewhere({ call: 'remove', id });
      assert.equal(await driver.exists(id), false);
      assert.equal((await driver.list()).includes(id), false);
    },
  },
  {
    name: 'a layer that was in use is whole after a boot that nobody prepared for: nothing mounted, the run folder gone or not',
    lengthy: true,
    run: async (subject) => {
      const image = await imageLayer(subject.driver, undefined, (root) => write(`${root}/a`, 'a'));
      for (const forgets of [true, false]) {
        const id = await containerLayer(subject.driver, image);
        // Whoever had it is gone without a word, and nobody cleaned up.
        const { output: path } = await subject.elsewhere({ call: 'get', id });
        write(`${path}/b`, 'b');
        boot(subject, forgets);
        const later = await subject.open();
        await inside(later, id, (root) => {
          assert.deepEqual(fs.readdirSync(root).sort(), ['a', 'b']);
          assert.equal(fs.readFileSync(`${root}/b`, 'utf8'), 'b');
        });
        // What was counted before is void.
        assert.equal(isMounted(path), false);
        assert.deepEqual(changeLines(await later.changes(id, `${id}-init`)), ['added /b']);
        await subject.elsewhere({ call: 'get', id });
        boot(subject, forgets);
        const last = await subject.open();
        for (const one of [id, `${id}-init`]) {
          await last.remove(one);
          assert.equal(await last.exists(one), false);
        }
      }
    },
  },
  {
    name: `${AT_ONCE} layers are made, mounted, written and removed at once`,
    slow: true,
    run: async (subject) => {
      const { driver } = subject;
      const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      const other = await subject.open();
      const before = new Set(await driver.list());
      const life = async (index: number): Promise<void> => {
        const mine = index % 2 === 0 ? driver : other;
        const id = await containerLayer(mine, image);
        await inside(mine, id, (root) => write(`${root}/own`, `${index}`));
        await inside(mine, id, (root) => assert.equal(fs.readFileSync(`${root}/own`, 'utf8'), `${index}`));
        assert.deepEqual(changeLines(await mine.changes(id, `${id}-init`)), ['added /own']);
        await mine.remove(id);
        await mine.remove(`${id}-init`);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => life(index)));
      assert.deepEqual(new Set(await driver.list()), before);
    },
  },
  {
    name: 'one release too many is harmless, also of a layer that nobody has',
    run: async ({ driver }) => {
      const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      const id = await containerLayer(driver, image);
      await driver.put(id);
      const { path } = await driver.get(id);
      await driver.put(id);
      await driver.put(id);
      const again = await driver.get(id);
      assert.equal(again.path, path);
      assert.equal(fs.readFileSync(`${again.path}/a`, 'utf8'), 'a');
      await again[Symbol.asyncDispose]();
      assert.equal(isMounted(path), false);
    },
  },
  {
    name: 'the list has every layer once and nothing else',
    run: async ({ driver }) => {
      const image = await imageLayer(driver, undefined, () => {});
      const id = await containerLayer(driver, image);
      const list = await driver.list();
      assert.equal(new Set(list).size, list.length);
      for (const one of [image, id, `${id}-init`]) assert.ok(list.includes(one), one);
      for (const one of list) assert.equal(await driver.exists(one), true, one);
    },
  },
  {
    name: `a directory of ${NAMES} names is listed, changed and carried in a tar`,
    slow: true,
    run: async ({ driver }) => {
      const image = await imageLayer(driver, undefined, (root) => {
        fs.mkdirSync(`${root}/large`);
        for (let index = 0; index < NAMES; index++) write(`${root}/large/${index}`, '');
      });
      const id = newId();
      await driver.create(id, image);
      await inside(driver, id, (root) => {
        fs.rmSync(`${root}/large/17`);
        write(`${root}/large/new`, 'new');
      });
      const changed = ['modified /large', 'deleted /large/17', 'added /large/new'];
      assert.deepEqual(changeLines(await driver.changes(id, image)), changed);
      const copy = newId();
      await driver.create(copy, undefined);
      await driver.applyDiff(copy, undefined, streamOf(await collect(driver.diff(image, undefined))));
      await inside(driver, copy, (root) => assert.equal(fs.readdirSync(`${root}/large`).length, NAMES));
      await inside(driver, id, (root) => assert.equal(fs.readdirSync(`${root}/large`).length, NAMES));
    },
  },
  {
    name: 'a file of the image that is open for reading shows what is written to it later',
    run: async ({ driver }) => {
      const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'before'));
      const id = await containerLayer(driver, image);
      const seen = await inside(driver, id, (root) => {
        const fd = fs.openSync(`${root}/a`, 'r');
        try {
          write(`${root}/a`, 'after!');
          const buffer = Buffer.alloc(6);
          fs.readSync(fd, buffer, 0, 6, 0);
          return buffer.toString();
        } finally {
          fs.closeSync(fd);
        }
      });
      assert.equal(seen, 'after!');
      await inside(driver, id, (root) => assert.equal(fs.readFileSync(`${root}/a`, 'utf8'), 'after!'));
    },
  },
  {
    name: 'files of the image that are open for reading and for writing are one file, also after they are deleted',
    run: async ({ driver }) => {
      const names = ['deleted', 'kept', 'replaced'];
      const image = await imageLayer(driver, undefined, (root) => {
        for (const name of names) write(`${root}/${name}`, 'before');
      });
      const id = newId();
      await driver.createReadWrite(id, image);
      await inside(driver, id, (root) => {
        for (const name of names) {
          // The first is open before the second copies the file up.
          const fds = ['r', 'r+', 'a', 'r'].map((flags) => fs.openSync(`${root}/${name}`, flags));
          try {
            const [early = -1, written = -1, appended = -1] = fds;
            fs.writeSync(written, 'AFT', 0);
            fs.writeSync(appended, ', more');
            if (name === 'deleted') fs.rmSync(`${root}/${name}`);
            if (name === 'replaced') {
              write(`${root}/other`, 'other');
              fs.renameSync(`${root}/other`, `${root}/${name}`);
            }
            fs.writeSync(written, 'ER', 3);
            fs.fchmodSync(written, 0o600);
            for (const fd of [early, fds.at(-1) ?? -1]) {
              const buffer = Buffer.alloc(20);
              const length = fs.readSync(fd, buffer, 0, 20, 0);
              assert.equal(buffer.toString('latin1', 0, length), 'AFTERe, more', name);
              assert.equal(fs.fstatSync(fd).mode & 0o777, 0o600, name);
              assert.throws(() => fs.writeSync(fd, 'x'), { code: 'EBADF' });
            }
          } finally {
            fds.forEach(fs.closeSync);
          }
        }
      });
      const lines = ['deleted /deleted', 'modified /kept', 'modified /replaced'];
      assert.deepEqual(changeLines(await driver.changes(id, image)), lines);
      await inside(driver, id, (root) => {
        assert.equal(fs.readFileSync(`${root}/kept`, 'utf8'), 'AFTERe, more');
        assert.equal(fs.readFileSync(`${root}/replaced`, 'utf8'), 'other');
        assert.equal(fs.statSync(`${root}/kept`).mode & 0o777, 0o600);
      });
      await inside(driver, image, (root) => {
        for (const name of names) assert.equal(fs.readFileSync(`${root}/${name}`, 'utf8'), 'before');
      });
    },
  },
  {
    name: 'a new name for a file of the image is the same file, and stays it in a tar',
    run: async ({ driver }) => {
      const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      const id = newId();
      await driver.create(id, image);
      await inside(driver, id, (root) => {
        fs.linkSync(`${root}/a`, `${root}/b`);
        fs.appendFileSync(`${root}/b`, ' and more');
      });
      const sameFile = (root: string): void => {
        assert.equal(fs.lstatSync(`${root}/a`).ino, fs.lstatSync(`${root}/b`).ino);
        assert.equal(fs.readFileSync(`${root}/a`, 'utf8'), 'a and more');
      };
      await inside(driver, id, sameFile);
      const copy = newId();
      await driver.create(copy, image);
      await driver.applyDiff(copy, image, streamOf(await collect(driver.diff(id, image))));
      await inside(driver, copy, sameFile);
    },
  },
];
