/** Checks on tars that are damaged, or made to reach what is not the layer's. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, relative } from 'node:path';
import { errorMessage } from '../../errors.ts';
import { describeTree } from './describe-tree.ts';
import { assertFails, described, imageLayer, inside, streamOf } from './layers.ts';
import { type Check, newId, type Subject } from './suite.ts';
import { type Member, tarOf } from './tar.ts';
import { directory, write } from './trees.ts';

const text = 'from the tar';

function link(target: string): Member {
  return { name: 'link', type: 'symlink', target };
}

function hard(target: string): Member {
  return { name: 'name', type: 'hardlink', target };
}

/** Tars that no layer can be made of. `outside` is a folder with a file `bait`, and `up` the way to it from the layer's root. */
function refusedTars(outside: string, up: string): readonly (readonly Member[])[] {
  return [
    [{ name: '../escaped', text }],
    [{ name: '../../escaped', text }],
    [{ name: 'dir/../../escaped', text }],
    [{ name: `${up}/bait`, text }],
    [{ name: `${up}/.wh.bait` }],
    [hard(`${up}/bait`), { name: 'name', text }],
    [hard(`${outside}/bait`), { name: 'name', text }],
    [link(outside), { name: 'link/escaped', text }],
    [link(outside), { name: 'link/bait', text }],
    [link(up), { name: 'link/bait', text }],
    [link(outside), hard('link/bait')],
  ];
}

/** Tars whose links lead to the layer's own root and no further, as for whoever has it for his root. */
const HELD: readonly (readonly Member[])[] = [
  [link('..'), { name: 'link/escaped', text }],
  [link('../../../..'), { name: 'link/escaped', text }],
  [link('/'), { name: 'link/escaped', text }],
];

/** Paths below a folder, each byte a character. Links are not followed, which node's own recursion does. */
function pathsBelow(top: string, at: string, without: ReadonlySet<string>): string[] {
  const folder = Buffer.from(`${top}/${at}`, 'latin1');
  return fs.readdirSync(folder, { encoding: 'buffer', withFileTypes: true }).flatMap((entry) => {
    const name = entry.name.toString('latin1');
    const path = at === '' ? name : `${at}/${name}`;
    return entry.isDirectory() && !without.has(path) ? [path, ...pathsBelow(top, path, without)] : [path];
  });
}

/** Every path below the data root, with the layer mounted, but for those in its own trees. What got past its root shows beside it. */
async function pathsAround(
  { driver, home }: Subject,
  id: string,
  parent: string | undefined,
): Promise<string[]> {
  const top = dirname(home);
  return await inside(driver, id, async (root) => {
    await using source = await driver.diffSource(id, parent);
    const own = [root, source.root].map((path) => relative(top, path));
    return pathsBelow(Buffer.from(top).toString('latin1'), '', new Set(own)).sort();
  });
}

/** What of the data root, of `outside` and of the parent a tar could have reached. */
async function reachable(subject: Subject, id: string, parent: string | undefined, outside: string) {
  const options = { directoryTimes: true };
  const below = parent === undefined ? [] : await described(subject.driver, parent, options);
  return [await pathsAround(subject, id, parent), describeTree(outside, options), below];
}

/** Applies each tar to a layer of its own on `parent`; nothing but that layer may have changed, and what is refused is refused. */
async function staysInside(subject: Subject, parent: string | undefined): Promise<void> {
  const { driver, scratch } = subject;
  const outside = `${scratch}/${newId()}`;
  directory(outside);
  write(`${outside}/bait`, 'bait');
  const tried = async (
    members: readonly Member[],
    judge: (id: string, done: Promise<unknown>) => Promise<void>,
  ) => {
    const id = newId();
    await driver.create(id, parent);
    const before = await reachable(subject, id, parent, outside);
    const words = members.map(({ name, target }) => `${name} ${target ?? ''}`).join(', ');
    try {
      await judge(id, driver.applyDiff(id, parent, streamOf(tarOf(members))));
      assert.deepEqual(await reachable(subject, id, parent, outside), before);
    } catch (error) {
      throw new Error(`${words}: ${errorMessage(error)}`, { cause: error });
    }
    await driver.remove(id);
  };
  const first = await imageLayer(driver, parent, () => {});
  const up = await inside(driver, first, (root) => relative(root, outside));
  await driver.remove(first);
  for (const members of refusedTars(outside, up))
    await tried(members, (_, done) => assertFails(done, 'InvalidParameter'));
  for (const members of HELD)
    await tried(members, async (id, done) => {
      await done;
      await inside(driver, id, (root) => assert.equal(fs.readFileSync(`${root}/escaped`, 'utf8'), text));
    });
  // Where the driver deletes what a whiteout names there is nothing to delete; where it makes a mark there is no place for it.
  await tried([link(outside), { name: 'link/.wh.bait' }], async (_, done) => {
    await done.catch(() => assertFails(done, 'InvalidParameter'));
  });
}

export const hostileTarChecks: readonly Check[] = [
  {
    name: 'a tar that leads outside of the layer is refused, or held inside of it, and nothing outside is touched',
    run: (subject) => staysInside(subject, undefined),
  },
  {
    name: 'a tar that leads outside of a layer with a parent is refused, or held inside of it, and the parent stays as it was',
    run: async (subject) => {
      const parent = await imageLayer(subject.driver, undefined, (root) => {
        directory(`${root}/dir`);
        write(`${root}/bait`, "the parent's");
      });
      await staysInside(subject, parent);
    },
  },
  {
    name: 'a link of the parent that leads outside is not followed there by a tar',
    run: async (subject) => {
      const { driver, scratch } = subject;
      const outside = `${scratch}/${newId()}`;
      directory(outside);
      write(`${outside}/bait`, 'bait');
      const parent = await imageLayer(driver, undefined, (root) => fs.symlinkSync(outside, `${root}/link`));
      for (const name of ['link/bait', 'link/escaped', 'link/.wh.bait']) {
        const id = newId();
        await driver.create(id, parent);
        const before = await reachable(subject, id, parent, outside);
        // A driver that has the parent's tree before it sees a link that leads nowhere; another makes a directory in its place.
        const done = driver.applyDiff(id, parent, streamOf(tarOf([{ name, text }])));
        await done.catch(() => assertFails(done, 'InvalidParameter'));
        assert.deepEqual(await reachable(subject, id, parent, outside), before, name);
        await driver.remove(id);
      }
    },
  },
  {
    name: 'a damaged tar fails, and the layer can be removed',
    run: async ({ driver }) => {
      const id = newId();
      await driver.create(id, undefined);
      const tar = tarOf([{ name: 'file', text: 'x'.repeat(5000) }]);
      await assertFails(driver.applyDiff(id, undefined, streamOf(tar.subarray(0, 3000))), 'Corrupt');
      await driver.remove(id);
      assert.equal(await driver.exists(id), false);
    },
  },
];
