/** Checks on what changes of a file when its contents do not: mode, owner, times, extended attributes. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { lgetxattr, llistxattr } from '../../linux/xattr.ts';
import { applied, changeLines, collect, described, imageLayer, inside } from './layers.ts';
import type { Check, Subject } from './suite.ts';
import {
  attributePrefix,
  CAPABILITY,
  directory,
  removeAttribute,
  setAttribute,
  stamp,
  takes,
  write,
} from './trees.ts';

/** A change of one attribute of a file or a directory, and of nothing else. */
interface Alone {
  readonly name: string;
  /** Gives it what the change takes away or replaces. */
  prepare?(path: string): void;
  change(path: string): void;
}

const NO_EXTENDED: readonly Alone[] = [
  { name: 'group', change: (path) => fs.lchownSync(path, 0, 5) },
  { name: 'mode', change: (path) => fs.chmodSync(path, 0o4711) },
  { name: 'owner', change: (path) => fs.lchownSync(path, 6, 0) },
  { name: 'sticky', change: (path) => fs.chmodSync(path, 0o1644) },
  { name: 'time', change: stamp },
];

function extended(prefix: string): readonly Alone[] {
  const old = (path: string): void => setAttribute(path, `${prefix}old`, 'old');
  return [
    { name: 'xattr-added', change: (path) => setAttribute(path, `${prefix}new`, 'new') },
    { name: 'xattr-changed', prepare: old, change: (path) => setAttribute(path, `${prefix}old`, 'two') },
    { name: 'xattr-emptied', prepare: old, change: (path) => setAttribute(path, `${prefix}old`, '') },
    { name: 'xattr-removed', prepare: old, change: (path) => removeAttribute(path, `${prefix}old`) },
    {
      name: 'xattr-renamed',
      prepare: old,
      change: (path) => {
        removeAttribute(path, `${prefix}old`);
        setAttribute(path, `${prefix}odd`, 'old');
      },
    },
  ];
}

/** The changes that the filesystem can have. */
function changesOf(subject: Subject): readonly Alone[] {
  const prefix = attributePrefix(subject);
  return prefix === undefined ? NO_EXTENDED : [...NO_EXTENDED, ...extended(prefix)];
}

/** What can have extended attributes, and how the names of those begin: what is no file and no directory has none of `user.`. */
function markedNames(subject: Subject): readonly (readonly [name: string, prefix: string])[] {
  const prefix = attributePrefix(subject);
  const usual = prefix === undefined ? [] : (['dir', 'file'] as const).map((name) => [name, prefix] as const);
  return takes(subject, 'trusted.') ? [...usual, ['link', 'trusted.']] : usual;
}

/** Makes something of each kind, changes one attribute of each in a layer above, and looks at the changes and the tar. */
async function changedAlone(
  subject: Subject,
  alone: readonly Alone[],
  make: (path: string) => void,
): Promise<void> {
  const { driver } = subject;
  const base = await imageLayer(driver, undefined, (root) => {
    for (const { name, prepare } of alone) {
      make(`${root}/${name}`);
      prepare?.(`${root}/${name}`);
    }
    make(`${root}/untouched`);
  });
  const top = await imageLayer(driver, base, (root) => {
    for (const { name, change } of alone) change(`${root}/${name}`);
  });
  const lines = alone.map(({ name }) => `modified /${name}`).sort();
  assert.deepEqual(changeLines(await driver.changes(top, base)), lines);
  const [before, after] = [await described(driver, base), await described(driver, top)];
  for (const line of after.filter((one) => !one.startsWith('/time '))) {
    assert.equal(before.includes(line), line.startsWith('/untouched '), line);
  }
  const copy = await applied(subject, base, await collect(driver.diff(top, base)));
  assert.deepEqual(await described(driver, copy), after);
  assert.deepEqual(changeLines(await driver.changes(copy, base)), lines);
}

/** One of each sort that a layer may keep. */
const SORTS: Readonly<Record<string, Buffer>> = {
  'user.sort': Buffer.from('user'),
  'trusted.sort': Buffer.from([0, 255]),
  'security.capability': CAPABILITY,
};

export const attributeChecks: readonly Check[] = [
  {
    name: 'extended attributes of every sort are kept, from above and in tars, or taken by nobody, as the driver says',
    run: async (subject) => {
      const { driver } = subject;
      const sorts = Object.entries(SORTS).filter(([name]) => takes(subject, name));
      const base = await imageLayer(driver, undefined, (root) => {
        write(`${root}/file`, 'file');
        for (const [name, value] of sorts) {
          const set = () => setAttribute(`${root}/file`, name, value);
          if (driver.capabilities.xattrs) set();
          else assert.throws(set, { code: 'EOPNOTSUPP' }, name);
        }
      });
      if (!driver.capabilities.xattrs) return;
      const copy = await applied(subject, undefined, await collect(driver.diff(base, undefined)));
      for (const id of [base, await imageLayer(driver, base, () => {}), copy]) {
        await inside(driver, id, (root) => {
          for (const [name, value] of sorts) assert.deepEqual(lgetxattr(`${root}/file`, name), value, name);
        });
      }
    },
  },
  {
    name: 'a file whose attributes alone changed is modified: mode, owner, time, attribute',
    run: async (subject) => {
      await changedAlone(subject, changesOf(subject), (path) => write(path, 'the same'));
    },
  },
  {
    name: 'a file that is written anew with its size and time kept is modified and carried, or is not as the driver says',
    run: async ({ driver }) => {
      const kept = new Date('2020-05-06T07:08:09Z');
      const put = (root: string, text: string): void => {
        fs.writeFileSync(`${root}/file`, text);
        fs.utimesSync(`${root}/file`, kept, kept);
      };
      const base = await imageLayer(driver, undefined, (root) => put(root, 'before'));
      const top = await imageLayer(driver, base, (root) => put(root, 'behind'));
      const isMissed = driver.capabilities.missesKeptTimes === true;
      assert.deepEqual(changeLines(await driver.changes(top, base)), isMissed ? [] : ['modified /file']);
      assert.equal((await collect(driver.diff(top, base))).includes('behind'), !isMissed);
    },
  },
  {
    name: 'a directory whose attributes alone changed is modified, and nothing in it',
    run: async (subject) => {
      // Times of directories are not described.
      const alone = changesOf(subject).filter(({ name }) => name !== 'time');
      await changedAlone(subject, alone, (path) => directory(path));
    },
  },
  {
    name: 'a file of the image that gets another type is modified',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        for (const name of ['link', 'rewritten']) write(`${root}/${name}`, name);
      });
      const top = await imageLayer(driver, base, (root) => {
        for (const name of ['link', 'rewritten']) fs.rmSync(`${root}/${name}`);
        fs.symlinkSync('rewritten', `${root}/link`);
        write(`${root}/rewritten`, 'other');
      });
      assert.deepEqual(changeLines(await driver.changes(top, base)), [
        'modified /link',
        'modified /rewritten',
      ]);
    },
  },
  {
    name: 'an extended attribute that a layer removed is gone in it, in the layers above and after a tar',
    run: async (subject) => {
      const { driver } = subject;
      const marked = markedNames(subject);
      const base = await imageLayer(driver, undefined, (root) => {
        directory(`${root}/dir`);
        write(`${root}/file`, 'file');
        fs.symlinkSync('file', `${root}/link`);
        for (const [name, prefix] of marked) {
          for (const word of ['gone', 'kept']) setAttribute(`${root}/${name}`, `${prefix}${word}`, word);
        }
      });
      const top = await imageLayer(driver, base, (root) => {
        for (const [name, prefix] of marked) removeAttribute(`${root}/${name}`, `${prefix}gone`);
      });
      const look = (root: string): void => {
        for (const [name, prefix] of marked) {
          const isLost =
            name === 'link' && driver.capabilities.copyUpLoses?.includes('link-attributes') === true;
          const listed = llistxattr(`${root}/${name}`).map(String);
          const has = (word: string): boolean => listed.includes(`${prefix}${word}`);
          assert.deepEqual([has('gone'), has('kept')], [false, !isLost], name);
          const kept = lgetxattr(`${root}/${name}`, `${prefix}kept`)?.toString();
          assert.equal(kept, isLost ? undefined : 'kept', name);
        }
      };
      await inside(driver, top, look);
      const lines = marked.map(([name]) => `modified /${name}`);
      assert.deepEqual(changeLines(await driver.changes(top, base)), lines);
      await inside(driver, await imageLayer(driver, top, () => {}), look);
      await inside(driver, await applied(subject, base, await collect(driver.diff(top, base))), look);
      await inside(driver, base, (root) => {
        for (const [name, prefix] of marked) assert.ok(lgetxattr(`${root}/${name}`, `${prefix}gone`), name);
      });
    },
  },
];
