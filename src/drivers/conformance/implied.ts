/** Checks on directories that a layer's tar needs and says nothing of. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { lgetxattr } from '../../linux/xattr.ts';
import { applied, imageLayer, inside } from './layers.ts';
import type { Check, Subject } from './suite.ts';
import { tarOf } from './tar.ts';
import { attributePrefix, directory, setAttribute } from './trees.ts';

/** Directories that are not what a new one would be. */
function makeBelow(root: string, prefix: string | undefined): void {
  for (const path of ['tmp', 'srv/data', 'replaced', 'emptied/inner', 'gone/again', 'said']) {
    directory(`${root}/${path}`, 0o711);
    fs.chownSync(`${root}/${path}`, 7, 8);
    if (prefix !== undefined) setAttribute(`${root}/${path}`, `${prefix}below`, path);
  }
}

/** What an upper of the layers below makes of them. */
function changeBelow(root: string): void {
  fs.chmodSync(`${root}/tmp`, 0o1777);
  fs.rmdirSync(`${root}/gone/again`);
  fs.rmdirSync(`${root}/replaced`);
  fs.symlinkSync('tmp', `${root}/to-tmp`);
}

const MEMBERS = [
  'tmp/file',
  'srv/data/file',
  'emptied/.wh..wh..opq',
  'emptied/inner/file',
  'gone/again/file',
  '.wh.replaced',
  'replaced/file',
  'new/deep/file',
  'said/file',
];

/** Two layers and the tar on top. */
async function layered(subject: Subject): Promise<string> {
  const { driver } = subject;
  const base = await imageLayer(driver, undefined, (root) => makeBelow(root, attributePrefix(subject)));
  const middle = await imageLayer(driver, base, changeBelow);
  const tar = tarOf([
    ...MEMBERS.map((name) => ({ name })),
    { name: 'said/', type: 'directory', mode: 0o700 },
  ]);
  return await applied(subject, middle, tar);
}

export const impliedChecks: readonly Check[] = [
  {
    name: 'a directory that a tar only implies is what it is below, and a new one is 0755 of root',
    run: async (subject) => {
      const top = await layered(subject);
      await inside(subject.driver, top, (root) => {
        const of = (path: string): string => {
          const { mode, uid, gid } = fs.lstatSync(`${root}/${path}`);
          return `${path} ${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
        };
        assert.deepEqual(['tmp', 'srv', 'srv/data', 'emptied', 'said'].map(of), [
          'tmp 1777 7:8',
          'srv 755 0:0',
          'srv/data 711 7:8',
          'emptied 755 0:0',
          'said 700 0:0',
        ]);
        assert.deepEqual(['emptied/inner', 'gone/again', 'replaced', 'new', 'new/deep'].map(of), [
          'emptied/inner 755 0:0',
          'gone/again 755 0:0',
          'replaced 755 0:0',
          'new 755 0:0',
          'new/deep 755 0:0',
        ]);
        const prefix = attributePrefix(subject);
        if (prefix === undefined) return;
        const paths = ['tmp', 'srv/data', 'emptied/inner', 'gone/again', 'said'];
        assert.deepEqual(
          paths.map((path) => lgetxattr(`${root}/${path}`, `${prefix}below`)?.toString()),
          ['tmp', 'srv/data', undefined, undefined, undefined],
        );
      });
    },
  },
];
