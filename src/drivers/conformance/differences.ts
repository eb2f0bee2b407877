/** Checks on layers as tars and as lists of changes. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeTree } from './describe-tree.ts';
import { applied, changeLines, collect, containerLayer, described, imageLayer, inside } from './layers.ts';
import type { Check, Subject } from './suite.ts';
import { namesOf, tarOf } from './tar.ts';
import { BYTES_NAME, directory, everything, sparse, stamp, write } from './trees.ts';

/** A base with what the checks change. */
function makeBase(root: string): void {
  directory(`${root}/etc/sub`);
  directory(`${root}/gone/deep`);
  directory(`${root}/again/old`);
  directory(`${root}/again/sub`);
  for (const path of [
    'etc/a',
    'etc/b',
    'etc/sub/c',
    'gone/deep/d',
    'again/old/e',
    'again/sub/g',
    'again/f',
    'kept',
  ]) {
    write(`${root}/${path}`, path);
  }
}

/** One change of every kind. */
function changeBase(root: string): void {
  write(`${root}/etc/a`, 'changed');
  fs.rmSync(`${root}/etc/b`);
  fs.chmodSync(`${root}/etc/sub/c`, 0o600);
  fs.rmSync(`${root}/gone`, { recursive: true });
  fs.rmSync(`${root}/again`, { recursive: true });
  directory(`${root}/again/new`);
  directory(`${root}/again/sub`);
  write(`${root}/again/sub/h`, 'in a directory made again');
  write(`${root}/again/f`, 'made again');
  directory(`${root}/added/dir`);
  write(`${root}/added/dir/file`, 'added');
  fs.symlinkSync('etc/a', `${root}/added/link`);
  stamp(`${root}/added/link`);
}

/** A layer on `base` with every change and every kind of file. */
function changedEverywhere(subject: Subject, base: string): Promise<string> {
  return imageLayer(subject.driver, base, (root) => {
    changeBase(root);
    directory(`${root}/everything`);
    everything(subject)(`${root}/everything`);
  });
}

function digest(tar: Buffer): string {
  return createHash('sha256').update(tar).digest('hex');
}

const CHANGES = [
  'added /added',
  'added /added/dir',
  'added /added/dir/file',
  'added /added/link',
  'modified /again',
  'modified /again/f',
  'added /again/new',
  'deleted /again/old',
  'modified /again/sub',
  'deleted /again/sub/g',
  'added /again/sub/h',
  'modified /etc',
  'modified /etc/a',
  'deleted /etc/b',
  'modified /etc/sub',
  'modified /etc/sub/c',
  'deleted /gone',
];

export const differenceChecks: readonly Check[] = [
  {
    name: 'changes are named as Docker names them: parents as modified, deleted trees once',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, makeBase);
      const top = await imageLayer(driver, base, changeBase);
      assert.deepEqual(changeLines(await driver.changes(top, base)), CHANGES);
      assert.deepEqual(changeLines(await driver.changes(base, undefined)).slice(0, 3), [
        'added /again',
        'added /again/f',
        'added /again/old',
      ]);
    },
  },
  {
    name: 'changes are the same while the layer is mounted and in use',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, makeBase);
      const container = await containerLayer(driver, base);
      await inside(driver, container, async (root) => {
        changeBase(root);
        assert.deepEqual(changeLines(await driver.changes(container, `${container}-init`)), CHANGES);
      });
    },
  },
  {
    name: 'reading and looking changes nothing, and neither does opening for writing',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, makeBase);
      const container = await containerLayer(driver, base);
      await inside(driver, container, (root) => {
        describeTree(root);
        fs.closeSync(fs.openSync(`${root}/etc/a`, 'r+'));
        fs.accessSync(`${root}/etc/sub/c`, fs.constants.W_OK);
      });
      assert.deepEqual(await driver.changes(container, `${container}-init`), []);
    },
  },
  {
    name: 'what an earlier layer deleted counts as gone: made again, it is added',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, makeBase);
      const middle = await imageLayer(driver, base, (root) => {
        fs.rmSync(`${root}/kept`);
        fs.rmSync(`${root}/again`, { recursive: true });
        directory(`${root}/again`);
        write(`${root}/again/new`, 'new');
      });
      const top = await imageLayer(driver, middle, (root) => {
        write(`${root}/kept`, 'kept');
        write(`${root}/again/f`, 'again/f');
        fs.rmSync(`${root}/again/new`);
        directory(`${root}/again/sub`);
      });
      assert.deepEqual(changeLines(await driver.changes(top, middle)), [
        'modified /again',
        'added /again/f',
        'deleted /again/new',
        'added /again/sub',
        'added /kept',
      ]);
    },
  },
  {
    name: 'a layer that leaves as a tar and comes in on the same parent is the same layer',
    run: async (subject) => {
      const { driver } = subject;
      const base = await imageLayer(driver, undefined, makeBase);
      const top = await changedEverywhere(subject, base);
      const tar = await collect(driver.diff(top, base));
      const copy = await applied(subject, base, tar);
      const options = { directoryTimes: true };
      assert.deepEqual(await described(driver, copy, options), await described(driver, top, options));
      assert.deepEqual(
        changeLines(await driver.changes(copy, base)),
        changeLines(await driver.changes(top, base)),
      );
    },
  },
  {
    name: 'changes and tars against a layer further down hold those of all layers between',
    run: async (subject) => {
      const { driver } = subject;
      const base = await imageLayer(driver, undefined, makeBase);
      const middle = await imageLayer(driver, base, (root) => write(`${root}/between`, 'between'));
      const top = await imageLayer(driver, middle, (root) => fs.rmSync(`${root}/kept`));
      const lines = ['added /between', 'deleted /kept'];
      assert.deepEqual(changeLines(await driver.changes(top, base)), lines);
      const copy = await applied(subject, base, await collect(driver.diff(top, base)));
      assert.deepEqual(await described(driver, copy), await described(driver, top));
      assert.equal(await driver.diffSize(top, base), 'between'.length);
    },
  },
  {
    name: 'the same layer gives the same tar twice, to the byte, and so does its copy',
    run: async (subject) => {
      const { driver } = subject;
      const base = await imageLayer(driver, undefined, makeBase);
      const top = await changedEverywhere(subject, base);
      const first = await collect(driver.diff(top, base));
      assert.equal(digest(await collect(driver.diff(top, base))), digest(first));
      const copy = await applied(subject, base, first);
      const again = await collect(driver.diff(copy, base));
      // The names first: they say more than a digest does.
      assert.deepEqual(namesOf(again), namesOf(first));
      assert.equal(digest(again), digest(first));
    },
  },
  {
    name: 'a layer against nothing is a tar of all that is in it',
    run: async (subject) => {
      const { driver } = subject;
      const base = await imageLayer(driver, undefined, makeBase);
      const top = await imageLayer(driver, base, changeBase);
      const flat = await applied(subject, undefined, await collect(driver.diff(top, undefined)));
      assert.deepEqual(await described(driver, flat), await described(driver, top));
    },
  },
  {
    name: 'a tar holds whiteouts by their OCI names and no mark of the driver',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, makeBase);
      const top = await imageLayer(driver, base, changeBase);
      const names = namesOf(await collect(driver.diff(top, base)));
      assert.ok(names.includes('etc/.wh.b'), names.join());
      assert.ok(names.includes('.wh.gone'), names.join());
      assert.ok(names.includes('again/.wh..wh..opq') || names.includes('again/.wh.old'), names.join());
      assert.deepEqual(names, [...new Set(names)]);
    },
  },
  {
    name: 'whiteouts in a tar delete what is below, whatever its kind, and hide no sibling',
    run: async (subject) => {
      const base = await imageLayer(subject.driver, undefined, makeBase);
      const tar = tarOf([
        { name: '.wh.gone' },
        { name: 'again/', type: 'directory' },
        { name: 'again/.wh..wh..opq' },
        { name: 'again/new', text: 'new' },
        { name: 'etc/.wh.a' },
        { name: 'etc/.wh.not-there' },
      ]);
      const top = await applied(subject, base, tar);
      await inside(subject.driver, top, (root) => {
        assert.deepEqual(fs.readdirSync(root, { recursive: true }).sort(), [
          'again',
          'again/new',
          'etc',
          'etc/b',
          'etc/sub',
          'etc/sub/c',
          'kept',
        ]);
      });
    },
  },
  {
    name: 'whiteouts in a layer without a parent leave nothing behind',
    run: async (subject) => {
      const tar = tarOf([
        { name: '.wh.gone' },
        { name: 'dir/.wh..wh..opq' },
        { name: 'dir/file', text: 'x' },
      ]);
      const id = await applied(subject, undefined, tar);
      const names = await inside(subject.driver, id, (root) =>
        fs.readdirSync(root, { recursive: true }).sort(),
      );
      assert.deepEqual(names, ['dir', 'dir/file']);
    },
  },
  {
    name: 'the size of a layer is that of what it adds, hard links once',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => write(`${root}/big`, 'x'.repeat(100_000)));
      const top = await imageLayer(driver, base, (root) => {
        write(`${root}/a`, 'x'.repeat(1000));
        fs.linkSync(`${root}/a`, `${root}/b`);
        directory(`${root}/dir`);
        write(`${root}/dir/c`, 'x'.repeat(500));
      });
      assert.equal(await driver.diffSize(top, base), 1500);
      assert.equal(await driver.diffSize(base, undefined), 100_000);
    },
  },
  {
    name: 'sparse files take no more space after a tar, and after a copy as the driver says',
    run: async (subject) => {
      const { driver } = subject;
      const base = await imageLayer(driver, undefined, (root) => {
        sparse(`${root}/sparse`, 50_000_000, 10_000_000, 'data');
      });
      const top = await imageLayer(driver, base, (root) => fs.chmodSync(`${root}/sparse`, 0o600));
      const copy = await applied(subject, base, await collect(driver.diff(top, base)));
      for (const id of [top, copy]) {
        await inside(driver, id, async (root) => {
          const isFilled = id === top && driver.capabilities.copyUpLoses?.includes('holes') === true;
          let allocated = 0;
          // ZFS counts blocks when it writes them, some seconds later.
          for (let look = 0; look < 100; look++) {
            const { size, blocks } = fs.lstatSync(`${root}/sparse`);
            assert.equal(size, 50_000_000);
            allocated = blocks * 512;
            if (allocated >= 2_000_000 || !isFilled) break;
            await sleep(100);
          }
          assert.equal(allocated >= 2_000_000, isFilled, `${allocated} bytes allocated`);
        });
      }
    },
  },
  {
    name: 'the contents of the files in a tar are found where diffSource says',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, makeBase);
      const top = await imageLayer(driver, base, changeBase);
      await using source = await driver.diffSource(top, base);
      assert.equal(fs.readFileSync(`${source.root}/etc/a`, 'utf8'), 'changed');
      assert.equal(fs.readFileSync(`${source.root}/added/dir/file`, 'utf8'), 'added');
    },
  },
  {
    name: 'names that are not UTF-8 leave in tars, come in and are deleted by whiteouts',
    run: async (subject) => {
      const { driver } = subject;
      const base = await imageLayer(driver, undefined, (root) => {
        write(Buffer.concat([Buffer.from(`${root}/`), BYTES_NAME]), 'bytes');
      });
      const copy = await applied(subject, undefined, await collect(driver.diff(base, undefined)));
      assert.deepEqual(await described(driver, copy), await described(driver, base));
      const gone = await applied(
        subject,
        base,
        tarOf([{ name: Buffer.concat([Buffer.from('.wh.'), BYTES_NAME]) }]),
      );
      assert.deepEqual(await described(driver, gone), []);
      const [change] = await driver.changes(gone, base);
      assert.deepEqual(change?.path, Buffer.concat([Buffer.from('/'), BYTES_NAME]));
    },
  },
];
