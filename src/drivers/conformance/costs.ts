/** Checks on what calls cost: as much as changed, or as much as there is, and which of both the driver says. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { counted } from './counted.ts';
import { imageLayer } from './layers.ts';
import { type Check, newId, type Subject } from './suite.ts';
import { directory, write } from './trees.ts';

const FOLDERS = 8;
/** Files of each folder, of a small tree and of a large one. */
const FEW = 2;
const MANY = 60;

/** What was written in the seconds before a layer was made may have to be looked at, where only its time tells that it did not change. */
const DOUBTFUL_MS = 3_100;

/** An image layer with so many files in each folder. */
function treeOf(subject: Subject, files: number): Promise<string> {
  return imageLayer(subject.driver, undefined, (root) => {
    for (let folder = 0; folder < FOLDERS; folder++) {
      directory(`${root}/${folder}`);
      for (let file = 0; file < files; file++) write(`${root}/${folder}/${file}`, `${folder}/${file}`);
    }
  });
}

/** How many calls it takes to tell of one change in a tree, and to carry it in a tar. */
async function callsFor(subject: Subject, parent: string): Promise<readonly number[]> {
  const { driver } = subject;
  const id = newId();
  await driver.create(id, parent);
  {
    await using mounted = await driver.get(id);
    write(`${mounted.path}/3/1`, 'changed');
    fs.rmSync(`${mounted.path}/5/0`);
  }
  const changes = await counted(subject, { call: 'changes', id, parent });
  assert.equal(changes.output, 'modified /3\nmodified /3/1\nmodified /5\ndeleted /5/0');
  const diff = await counted(subject, { call: 'diff', id, parent });
  assert.match(diff.output, /^3\/1$/m);
  assert.match(diff.output, /^5\/[.]wh[.]0$/m);
  return [changes, diff].map(({ calls }) => [...calls.values()].reduce((sum, count) => sum + count, 0));
}

export const costChecks: readonly Check[] = [
  {
    name: 'changes and tars cost what changed, or the size of the tree, as the driver says',
    lengthy: true,
    run: async (subject) => {
      const [small, large] = [await treeOf(subject, FEW), await treeOf(subject, MANY)];
      await setTimeout(DOUBTFUL_MS);
      const few = await callsFor(subject, small);
      const many = await callsFor(subject, large);
      const more = FOLDERS * (MANY - FEW);
      for (const [index, what] of ['changes', 'diff'].entries()) {
        const grown = (many[index] ?? 0) - (few[index] ?? 0);
        const words = `${what}: ${grown} calls more for ${more} files more that did not change`;
        if (subject.driver.capabilities.nativeDiff) assert.ok(grown < more / 4, words);
        else assert.ok(grown >= more, words);
      }
    },
  },
];
