import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, test } from 'node:test';
import {
  anyWriteSet,
  beginWriteSet,
  type LayerRemover,
  recoverWriteSets,
} from '../../../src/engine/layers/write-set.ts';
import { tryLockDirectory } from '../../../src/linux/flock.ts';

const ID = 'a'.repeat(64);
let tmp = '';
let removed: string[] = [];
const driver: LayerRemover = {
  exists: async () => false,
  put: async () => undefined,
  remove: async (id) => {
    removed.push(id);
  },
};

// In a suite: several files of tests share a process, and hooks outside of one are for all that is in it.
describe('a write-set', () => {
  beforeEach(() => {
    tmp = mkdtempSync(`${tmpdir()}/ts-write-set-`);
    removed = [];
  });
  afterEach(() => rmSync(tmp, { recursive: true }));

  test('a folder has the name that stands for a layer only when it is locked', () => {
    const made = beginWriteSet(tmp, ID);
    assert.match(made.path, new RegExp(`/tsengine-${ID}-\\d+$`));
    assert.deepEqual(readdirSync(tmp).length, 1);
    assert.equal(tryLockDirectory(made.path, 'exclusive', tmp), undefined);
    made.release();
  });

  test('recovery between the making of the folder and its lock removes no layer', async () => {
    mkdirSync(`${tmp}/tsengine-making-1-1`);
    assert.equal(anyWriteSet(tmp), true);
    await recoverWriteSets(tmp, driver, assert.fail);
    assert.deepEqual([removed, readdirSync(tmp)], [[], []]);
  });

  test('a folder that its maker has locked stays', async () => {
    const path = `${tmp}/tsengine-making-1-1`;
    mkdirSync(path);
    const lock = tryLockDirectory(path, 'exclusive', tmp);
    await recoverWriteSets(tmp, driver, assert.fail);
    assert.deepEqual(readdirSync(tmp), ['tsengine-making-1-1']);
    lock?.release();
  });

  test('what a dead process was making is removed from the driver, and then its folder', async () => {
    mkdirSync(`${tmp}/tsengine-${ID}-1`);
    await recoverWriteSets(tmp, driver, assert.fail);
    assert.deepEqual([removed, readdirSync(tmp)], [[ID, `${ID}-init`], []]);
  });
});
