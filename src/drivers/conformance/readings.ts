/** Checks on what looking at layers leaves behind in them: nothing. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { fsName, statfs } from '../../linux/statfs.ts';
import type { GraphDriver } from '../driver.ts';
import { collect, imageLayer, inside } from './layers.ts';
import type { Check } from './suite.ts';
import { directory, write } from './trees.ts';

/** A directory and a file that the layer above changes. */
const OLD = ['etc', 'etc/a'];

/** They were read before they were changed: then whoever reads them again writes the time, unless he asks that it be not. */
function makeOld(root: string): void {
  for (const path of OLD) fs.utimesSync(`${root}/${path}`, 1000, 2000);
}

/** Theirs in these layers, in milliseconds. */
async function timesOfAccess(driver: GraphDriver, layers: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  for (const id of layers) {
    await inside(driver, id, (root) => {
      for (const path of OLD) times.push(fs.lstatSync(`${root}/${path}`).atimeMs);
    });
  }
  return times;
}

export const readingChecks: readonly Check[] = [
  {
    name: 'reading what a layer changed writes no time of access, neither in it nor below it',
    run: async ({ driver }) => {
      const base = await imageLayer(driver, undefined, (root) => {
        directory(`${root}/etc`);
        write(`${root}/etc/a`, 'below');
        makeOld(root);
      });
      const top = await imageLayer(driver, base, (root) => {
        write(`${root}/etc/a`, 'above');
        write(`${root}/etc/b`, 'new');
        makeOld(root);
      });
      const before = await timesOfAccess(driver, [base, top]);
      // Who wrote the layer above may have read the one below. A program that mounts reads directories when names are looked up.
      const isProgram = await inside(driver, top, (root) => fsName(statfs(root).magic) === 'fuse');
      if (!isProgram) assert.deepEqual(before.slice(-2), [1_000_000, 1_000_000]);
      await driver.changes(top, base);
      await collect(driver.diff(top, base));
      await collect(driver.diff(base, undefined));
      assert.deepEqual(await timesOfAccess(driver, [base, top]), before);
    },
  },
];
