/**
 * Random histories, told by a seed: the same operations are done in layers of the driver and in plain folders, and all
 * that the driver says afterwards must be what a comparison of the folders says.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { hasErrno } from '../../errors.ts';
import { utimensAt } from '../../linux/at.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import { compareTrees } from '../compare-trees.ts';
import { type DescribeOptions, describeTree } from './describe-tree.ts';
import { changeLines, collect, inside, streamOf } from './layers.ts';
import { type Check, newId, type Subject } from './suite.ts';
import { attributePrefix, setAttribute } from './trees.ts';

/** Numbers that look random and are the same for the same seed (mulberry32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Random = (below: number) => number;

/** Does one thing at `root`. Chosen by looking at the plain folder, then done in both. */
type Operation = (root: string) => void;

interface Entry {
  readonly path: string;
  readonly stat: fs.Stats;
}

function entriesOf(root: string): Entry[] {
  return fs
    .readdirSync(root, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => ({ path, stat: fs.lstatSync(`${root}/${path}`) }));
}

let clock = 0;

/** Times come from a counter, so that both sides get the same; every write gets a new one, as on a real clock. */
function timed(run: (path: string) => void, path: string): Operation {
  clock++;
  const time = { sec: 1_600_000_000 + clock, nsec: (clock * 7_654_321) % 1_000_000_000 };
  return (root) => {
    run(`${root}/${path}`);
    utimensAt(AT_FDCWD, `${root}/${path}`, time, time);
  };
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/** What differs by driver and filesystem. */
interface Kind {
  /** Whether a copy-up parts the names of a file. */
  readonly linksBreak: boolean;
  /** How the names of extended attributes begin; `undefined` where there are none. */
  readonly attributes: string | undefined;
}

/** The next operation on a tree like `plain`; `undefined` when what was drawn does not fit it. */
function draw(random: Random, plain: string, kind: Kind): Operation | undefined {
  const entries = entriesOf(plain);
  const pick = (list: readonly Entry[]): Entry | undefined => list[random(Math.max(1, list.length))];
  const directories = entries.filter(({ stat }) => stat.isDirectory());
  const folder = random(3) === 0 ? '' : (pick(directories)?.path ?? '');
  const path = `${folder === '' ? '' : `${folder}/`}${NAMES[random(NAMES.length)]}`;
  const taken = entries.find((entry) => entry.path === path);
  const text = 'x'.repeat(random(2000)) + String(random(1000));
  // Where one name of a lower file is copied up without the others, only names themselves are comparable.
  const free = entries.filter(({ stat }) => !kind.linksBreak || stat.nlink === 1 || stat.isDirectory());
  const file = pick(free.filter(({ stat }) => stat.isFile()));
  const any = pick(free.filter(({ stat }) => !stat.isSymbolicLink()));
  const victim = pick(entries);
  switch (random(14)) {
    case 0:
    case 1:
    case 2:
      return taken === undefined ? timed((at) => fs.writeFileSync(at, text), path) : undefined;
    case 3:
      return taken === undefined ? (root) => fs.mkdirSync(`${root}/${path}`) : undefined;
    case 4:
      return taken === undefined ? timed((at) => fs.symlinkSync(text.slice(-5), at), path) : undefined;
    case 5:
      return file && timed((at) => fs.appendFileSync(at, text), file.path);
    case 6: {
      const size = random(100);
      return file && timed((at) => fs.truncateSync(at, size), file.path);
    }
    case 7: {
      const mode = 0o400 + random(0o400);
      return any && ((root) => fs.chmodSync(`${root}/${any.path}`, mode));
    }
    case 8: {
      const [uid, gid] = [random(3), random(3)];
      return any && ((root) => fs.lchownSync(`${root}/${any.path}`, uid, gid));
    }
    case 9: {
      const name = `${kind.attributes}${NAMES[path.length % 7]}`;
      if (kind.attributes === undefined) return undefined;
      return any && ((root) => setAttribute(`${root}/${any.path}`, name, text.slice(-3)));
    }
    case 10:
      return victim && ((root) => fs.rmSync(`${root}/${victim.path}`, { recursive: true }));
    case 11:
      return file && taken === undefined && `${path}/`.startsWith(`${file.path}/`) === false
        ? (root) => fs.linkSync(`${root}/${file.path}`, `${root}/${path}`)
        : undefined;
    case 12:
      return victim && taken === undefined && !`${path}/`.startsWith(`${victim.path}/`)
        ? (root) => fs.renameSync(`${root}/${victim.path}`, `${root}/${path}`)
        : undefined;
    default:
      return victim?.stat.isDirectory() === true
        ? (root) => {
            fs.rmSync(`${root}/${victim.path}`, { recursive: true });
            fs.mkdirSync(`${root}/${victim.path}`);
          }
        : undefined;
  }
}

/** Does `count` operations in the layer and in the plain folder. */
function work(random: Random, layer: string, plain: string, count: number, kind: Kind): void {
  for (let done = 0; done < count; ) {
    const operation = draw(random, plain, kind);
    if (operation === undefined) continue;
    done++;
    try {
      operation(layer);
    } catch (error) {
      // A directory that comes from below is not renamed by overlayfs; then it is not renamed here either.
      if (hasErrno(error, 'EXDEV')) continue;
      throw error;
    }
    operation(plain);
  }
}

async function history(subject: Subject, seed: number): Promise<void> {
  const { driver, scratch } = subject;
  const random = randomNumbers(seed);
  const losses = driver.capabilities.copyUpLoses ?? [];
  const linksBreak = !driver.capabilities.hardLinksAcrossCopyUp || losses.includes('linked-change');
  const kind = { linksBreak, attributes: attributePrefix(subject) };
  const linkTimes = !losses.includes('link-time');
  const options: DescribeOptions = { links: !linksBreak, linkTimes };
  const plain = `${scratch}/history-${seed}-${newId().slice(0, 16)}`;
  fs.mkdirSync(plain);
  let parent: string | undefined;
  let before: string | undefined;
  const depth = 1 + random(4);
  for (let layer = 0; layer < depth; layer++) {
    const id = newId();
    await driver.create(id, parent);
    await inside(driver, id, (root) => work(random, root, plain, layer === 0 ? 25 : 12, kind));
    const expected = describeTree(plain, options);
    assert.deepEqual(await inside(driver, id, (root) => describeTree(root, options)), expected);
    assert.deepEqual(changeLines(await driver.changes(id, parent)), changeLines(compareTrees(plain, before)));
    const tar = await collect(driver.diff(id, parent));
    const copy = newId();
    await driver.create(copy, parent);
    await driver.applyDiff(copy, parent, streamOf(tar));
    assert.deepEqual(await inside(driver, copy, (root) => describeTree(root, options)), expected);
    await driver.remove(copy);
    before = `${plain}-${layer}`;
    await copyPlain(plain, before);
    parent = id;
  }
}

async function copyPlain(from: string, to: string): Promise<void> {
  const { execFileSync } = await import('node:child_process');
  execFileSync('cp', ['-a', from, to]);
}

async function histories(subject: Subject, first: number, count: number): Promise<void> {
  for (let seed = first; seed < first + count; seed++) {
    try {
      await history(subject, seed);
    } catch (error) {
      if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
}

export const historyChecks: readonly Check[] = [
  {
    name: '15 random histories end as in plain folders, in trees, changes and tars',
    lengthy: true,
    run: (subject) => histories(subject, 1, 15),
  },
  {
    name: '100 more random histories end as in plain folders',
    slow: true,
    run: (subject) => histories(subject, 1000, 100),
  },
];
