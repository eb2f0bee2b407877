/**
 * Random histories, told by a seed: the same operations are done in layers of the driver and in plain folders, and all
 * that the driver says afterwards must be what a comparison of the folders says. One that fails is made as short as it can
 * be while it fails.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { errorMessage, hasErrno } from '../../errors.ts';
import { type DescribeOptions, describeTree } from './describe-tree.ts';
import { drawOperation, type Kind, randomNumbers } from './history-operations.ts';
import { changeLines, collect, inside, streamOf } from './layers.ts';
import { type PlainTree, plainChanges, readPlainTree } from './plain-comparison.ts';
import { type Check, newId, type Subject } from './suite.ts';
import { attributePrefix } from './trees.ts';

/** One operation of a history: the seed that it is drawn from, on whatever tree it then finds, and its layer. */
interface Step {
  readonly layer: number;
  readonly seed: number;
}

/** How often operations are drawn for the first layer, and for each above; about half of them fit the tree. */
const DRAWS = { first: 45, above: 22 };

function stepsOf(seed: number): readonly Step[] {
  const random = randomNumbers(seed);
  const depth = 1 + random(4);
  return Array.from({ length: depth }, (_, layer) =>
    Array.from({ length: layer === 0 ? DRAWS.first : DRAWS.above }, () => ({ layer, seed: random(2 ** 31) })),
  ).flat();
}

/** Does the steps in the layer and in the plain folder. Tells what was done. */
function work(steps: readonly Step[], layer: string, plain: string, kind: Kind): string[] {
  const done: string[] = [];
  for (const { seed } of steps) {
    const operation = drawOperation(randomNumbers(seed), plain, kind);
    if (operation === undefined) continue;
    try {
      operation.run(layer);
    } catch (error) {
      // A directory that comes from below is not renamed by overlayfs; then it is not renamed here either.
      if (hasErrno(error, 'EXDEV')) continue;
      throw error;
    }
    operation.run(plain);
    done.push(operation.text);
  }
  return done;
}

/** One run of a history. */
interface Run {
  /** What was done, layer by layer, as far as it went. */
  readonly done: readonly (readonly string[])[];
  /** What the driver did wrong; `undefined` when nothing. */
  readonly error: unknown;
}

async function runHistory(subject: Subject, steps: readonly Step[]): Promise<Run> {
  const plain = `${subject.scratch}/history-${newId().slice(0, 24)}`;
  const done: string[][] = [];
  try {
    await follow(subject, steps, plain, done);
    return { done, error: undefined };
  } catch (error) {
    return { done, error };
  } finally {
    execFileSync('rm', ['-rf', plain]);
  }
}

async function follow(
  subject: Subject,
  steps: readonly Step[],
  plain: string,
  done: string[][],
): Promise<void> {
  const { driver } = subject;
  const losses = driver.capabilities.copyUpLoses ?? [];
  const linksBreak = !driver.capabilities.hardLinksAcrossCopyUp || losses.includes('linked-change');
  let before: PlainTree = new Map();
  // Paths of all layers below, also of what is deleted.
  const ever = new Set<string>();
  const kind: Kind = {
    linksBreak,
    attributes: attributePrefix(subject),
    // What is below such a directory would be seen again.
    staysPut: (path) => losses.includes('remade-rename') && before.has(`/${path}`),
    // What was in a directory that was made again would be found there; the root is never made again.
    staysFree: (path) => losses.includes('remade-lookup') && path.includes('/') && ever.has(`/${path}`),
    // What is below would be seen again when the name is deleted.
    isNoTarget: (path) => losses.includes('replaced-removal') && ever.has(`/${path}`),
  };
  const options: DescribeOptions = {
    links: !linksBreak,
    linkTimes: !losses.includes('link-time'),
    wholeSeconds: !driver.capabilities.nanoseconds,
  };
  fs.mkdirSync(plain);
  let parent: string | undefined;
  for (const layer of new Set(steps.map((step) => step.layer))) {
    const own = steps.filter((step) => step.layer === layer);
    const id = newId();
    await driver.create(id, parent);
    await inside(driver, id, (root) => done.push(work(own, root, plain, kind)));
    const expected = describeTree(plain, options);
    const now = readPlainTree(plain, options.wholeSeconds === true);
    assert.deepEqual(await inside(driver, id, (root) => describeTree(root, options)), expected);
    assert.deepEqual(changeLines(await driver.changes(id, parent)), plainChanges(before, now));
    const tar = await collect(driver.diff(id, parent));
    const copy = newId();
    await driver.create(copy, parent);
    await driver.applyDiff(copy, parent, streamOf(tar));
    assert.deepEqual(await inside(driver, copy, (root) => describeTree(root, options)), expected);
    await driver.remove(copy);
    before = now;
    for (const path of now.keys()) ever.add(path);
    parent = id;
  }
}

/** After so many tries a history is short enough. */
const MOST_TRIES = 400;

/** Leaves out what can be left out while it still fails: halves, quarters, and so on to single steps. */
async function shrink(subject: Subject, all: readonly Step[], failed: Run): Promise<Run> {
  let [steps, last, tries] = [all, failed, 0];
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < steps.length && tries < MOST_TRIES; tries++) {
      const fewer = [...steps.slice(0, at), ...steps.slice(at + size)];
      const run = await runHistory(subject, fewer);
      if (run.error === undefined) at += size;
      else [steps, last] = [fewer, run];
    }
  }
  return last;
}

async function histories(subject: Subject, first: number, count: number): Promise<void> {
  for (let seed = first; seed < first + count; seed++) {
    const steps = stepsOf(seed);
    const run = await runHistory(subject, steps);
    if (run.error === undefined) continue;
    const { done, error } = await shrink(subject, steps, run);
    const story = done
      .map((lines, layer) => `layer ${layer + 1}: ${lines.join(', ') || 'nothing'}`)
      .join('; ');
    throw new Error(`seed ${seed}, ${story}: ${errorMessage(error)}`, { cause: error });
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
  {
    name: '885 more random histories end as in plain folders',
    slow: true,
    run: (subject) => histories(subject, 2000, 885),
  },
];
