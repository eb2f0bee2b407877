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
import { SyscallError } from '../../../src/linux/errno.ts';
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

const EROFS = 30;
const ENOSPC = 28;

/** A driver that cannot remove the layer `ID`. */
const failing = (errno: number): LayerRemover => ({
  ...driver,
  remove: async (id) => {
    if (id === ID) throw new SyscallError('rename', errno, { path: id });
    await driver.remove(id);
  },
});
const settle = async (): Promise<void> => {};

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
    await recoverWriteSets(tmp, driver, settle, assert.fail);
    assert.deepEqual([removed, readdirSync(tmp)], [[], []]);
  });

  test('a folder that its maker has locked stays', async () => {
    const path = `${tmp}/tsengine-making-1-1`;
    mkdirSync(path);
    const lock = tryLockDirectory(path, 'exclusive', tmp);
    await recoverWriteSets(tmp, driver, settle, assert.fail);
    assert.deepEqual(readdirSync(tmp), ['tsengine-making-1-1']);
    lock?.release();
  });

  test('what a dead process was making is removed from the driver, and then its folder', async () => {
    mkdirSync(`${tmp}/tsengine-${ID}-1`);
    await recoverWriteSets(tmp, driver, settle, assert.fail);
    assert.deepEqual([removed, readdirSync(tmp)], [[ID, `${ID}-init`], []]);
  });

  test('a layer that cannot be removed is told and stays, and the others go', async () => {
    const other = 'b'.repeat(64);
    mkdirSync(`${tmp}/tsengine-${ID}-2`);
    mkdirSync(`${tmp}/tsengine-${other}-1`);
    const warnings: string[] = [];
    await recoverWriteSets(tmp, failing(EROFS), settle, (message) => warnings.push(message));
    assert.deepEqual(removed, [other, `${other}-init`]);
    assert.deepEqual(readdirSync(tmp), [`tsengine-${ID}-2`]);
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? '',
      /tsengine-a{64}-2: layer a{64}, which nothing needs, cannot be removed: rename a{64}: read-only file system; the next command tries again$/,
    );
  });

  test('a disk that is full is thrown, when the others have gone', async () => {
    const other = 'b'.repeat(64);
    mkdirSync(`${tmp}/tsengine-${ID}-2`);
    mkdirSync(`${tmp}/tsengine-${other}-1`);
    const recovery = recoverWriteSets(tmp, failing(ENOSPC), settle, assert.fail);
    await assert.rejects(recovery, { code: 'ENOSPC' });
    assert.deepEqual(readdirSync(tmp), [`tsengine-${ID}-2`]);
  });

  test('its record goes when the driver has its removal on disk', async () => {
    const made = beginWriteSet(tmp, ID);
    await made.remove(driver, async () => {
      assert.deepEqual(removed, [ID, `${ID}-init`]);
      assert.equal(readdirSync(tmp).length, 1);
    });
    assert.deepEqual(readdirSync(tmp), []);
  });
});
