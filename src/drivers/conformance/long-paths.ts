/** A check on data roots that are deep in a filesystem: what the kernel takes of a path bounds what drivers may add to it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import {
  applied,
  changeLines,
  collect,
  containerLayer,
  described,
  imageLayer,
  inside,
  isMounted,
} from './layers.ts';
import type { Check, Subject } from './suite.ts';
import { write } from './trees.ts';

/** Bytes of the driver's folder: several times the usual, and nearly all of the 4 095 that a path may have. */
const LENGTHS = [600, 3600];

/** A folder on the driver's filesystem whose path has so many bytes, and below it the driver's. */
function longHome({ home, driver }: Subject, length: number): { root: string; home: string } {
  const root = `${dirname(home)}/long-${length}`;
  let path = root;
  const last = `/${driver.name}`;
  while (path.length + last.length < length) {
    const left = length - path.length - last.length;
    path += `/${'l'.repeat(Math.min(200, Math.max(1, left - 1)))}`;
  }
  return { root, home: `${path}${last}` };
}

async function lifeAt(subject: Subject, length: number): Promise<void> {
  const { root: top, home } = longHome(subject, length);
  fs.mkdirSync(dirname(home), { recursive: true });
  const driver = await subject.open({ home, runHome: `${subject.runHome}-long-${length}` });
  const base = await imageLayer(driver, undefined, (root) => {
    fs.mkdirSync(`${root}/dir`);
    write(`${root}/dir/a`, 'a');
    write(`${root}/gone`, 'gone');
  });
  const image = await imageLayer(driver, base, (root) => write(`${root}/dir/b`, 'b'));
  const id = await containerLayer(driver, image);
  const path = await inside(driver, id, (root) => {
    fs.appendFileSync(`${root}/dir/a`, ' and more');
    fs.rmSync(`${root}/gone`);
    write(`${root}/${'n'.repeat(200)}`, 'new');
    return root;
  });
  assert.equal(isMounted(path), false);
  const lines = ['modified /dir', 'modified /dir/a', 'deleted /gone', `added /${'n'.repeat(200)}`];
  assert.deepEqual(changeLines(await driver.changes(id, `${id}-init`)), lines);
  const copy = await applied({ driver }, image, await collect(driver.diff(id, image)));
  assert.deepEqual(await described(driver, copy), await described(driver, id));
  for (const one of [copy, id, `${id}-init`, image, base]) await driver.remove(one);
  assert.deepEqual(await driver.list(), []);
  await driver.cleanup();
  fs.rmSync(top, { recursive: true, force: true });
}

export const longPathChecks: readonly Check[] = LENGTHS.map((length) => ({
  name: `layers live in a data root whose path takes ${length} bytes`,
  excused: ({ ownFilesystems }) =>
    ownFilesystems === true ? 'a pool serves one data root, and what it holds has no paths' : undefined,
  run: (subject) => lifeAt(subject, length),
}));
