/** Checks on layers that change more files, or a file of more names, than fit into one answer of the kernel's. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { applied, changeLines, collect, described, imageLayer, inside } from './layers.ts';
import type { Check } from './suite.ts';
import { write } from './trees.ts';

const FOLDERS = 15;
const FILES = 100;
/** More names of one file in one directory, and longer ones, than any filesystem keeps beside each other. */
const NAMES = 130;
const NAME_LENGTH = 230;

const folderName = (index: number): string => `${index}`.padStart(2, '0');

function paths(): string[] {
  return Array.from({ length: FOLDERS * FILES }, (_, index) => {
    return `${folderName(Math.floor(index / FILES))}/${`${index % FILES}`.padStart(3, '0')}`;
  });
}

/** What becomes of a file of that number: every tenth is deleted, and one next to it is added. */
function fateOf(path: string, index: number): string[] {
  return index % 10 === 9 ? [`deleted /${path}`, `added /${path}-new`] : [`modified /${path}`];
}

export const manyChecks: readonly Check[] = [
  {
    name: `${FOLDERS * FILES} changed files are all told and carried in a tar`,
    lengthy: true,
    run: async (subject) => {
      const { driver } = subject;
      const all = paths();
      const base = await imageLayer(driver, undefined, (root) => {
        for (let index = 0; index < FOLDERS; index++) fs.mkdirSync(`${root}/${folderName(index)}`);
        for (const path of all) fs.writeFileSync(`${root}/${path}`, path);
      });
      const top = await imageLayer(driver, base, (root) => {
        for (const [index, path] of all.entries()) {
          if (index % 10 !== 9) fs.chmodSync(`${root}/${path}`, 0o600);
          else {
            fs.rmSync(`${root}/${path}`);
            fs.writeFileSync(`${root}/${path}-new`, 'new');
          }
        }
      });
      const lines = all.flatMap((path, index) => {
        const folder = index % FILES === 0 ? [`modified /${path.slice(0, 2)}`] : [];
        return [...folder, ...fateOf(path, index)];
      });
      assert.deepEqual(changeLines(await driver.changes(top, base)), lines);
      const copy = await applied(subject, base, await collect(driver.diff(top, base)));
      assert.deepEqual(await described(driver, copy), await described(driver, top));
    },
  },
  {
    name: `a file of ${NAMES} long names is changed under all of them, or under one as the driver says`,
    run: async (subject) => {
      const { driver } = subject;
      const names = Array.from({ length: NAMES }, (_, index) => `${index}`.padStart(NAME_LENGTH, '0'));
      const [first = ''] = names;
      const base = await imageLayer(driver, undefined, (root) => {
        write(`${root}/${first}`, 'shared');
        for (const name of names.slice(1)) fs.linkSync(`${root}/${first}`, `${root}/${name}`);
        write(`${root}/other`, 'other');
      });
      const top = await imageLayer(driver, base, (root) =>
        fs.appendFileSync(`${root}/${first}`, ' and more'),
      );
      const changed = driver.capabilities.hardLinksAcrossCopyUp ? names : [first];
      const lines = changed.map((name) => `modified /${name}`);
      assert.deepEqual(changeLines(await driver.changes(top, base)), lines);
      const copy = await applied(subject, base, await collect(driver.diff(top, base)));
      assert.deepEqual(await described(driver, copy), await described(driver, top));
      await inside(driver, copy, (root) => {
        const inodes = new Set(changed.map((name) => fs.lstatSync(`${root}/${name}`).ino));
        assert.equal(inodes.size, 1);
      });
    },
  },
];
