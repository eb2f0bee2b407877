/** What a first set-up of devicemapper that fails takes away again, with a pool that is none. With a real one: test/lab/devicemapper/bad-input.sh. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { FirstSetup, type PoolToUndo } from '../../src/drivers/devicemapper/first-setup.ts';
import { makeStore } from '../helpers/stores.ts';

describe('a first set-up that fails', () => {
  const made = (home: string): string[] => {
    for (const name of ['devicemapper', 'metadata', '.tsengine', 'mnt'])
      mkdirSync(`${home}/${name}`, { recursive: true });
    const files = ['devicemapper/data', 'devicemapper/metadata', 'metadata/base', '.tsengine/lock'];
    for (const file of files) if (!existsSync(`${home}/${file}`)) writeFileSync(`${home}/${file}`, 'new');
    return files;
  };
  const pool = (home: string, parts: Partial<PoolToUndo> = {}): PoolToUndo => {
    const files = { data: `${home}/devicemapper/data`, metadata: `${home}/devicemapper/metadata` };
    return { isOurs: true, files, device: () => undefined, deactivate: () => true, ...parts };
  };
  const isEmpty = (): boolean => true;

  test('leaves nothing of its own', async () => {
    using store = makeStore();
    const { home, runHome } = store.context('devicemapper');
    const setup = new FirstSetup({ home, runHome });
    made(home);
    mkdirSync(runHome, { recursive: true });
    await setup.undo(pool(home), false, isEmpty);
    assert.deepEqual(readdirSync(store.dataRoot), []);
    assert.equal(existsSync(runHome), false);
  });

  test('before there is a pool takes away nothing but empty folders and the lock', () => {
    using store = makeStore();
    const { home, runHome } = store.context('devicemapper');
    const setup = new FirstSetup({ home, runHome });
    mkdirSync(`${home}/metadata`, { recursive: true });
    mkdirSync(`${home}/.tsengine`);
    writeFileSync(`${home}/.tsengine/lock`, '');
    setup.abandon();
    assert.deepEqual(readdirSync(store.dataRoot), []);
    // Another command's, which was killed.
    made(home);
    setup.abandon();
    assert.deepEqual(readdirSync(`${home}/devicemapper`).toSorted(), ['data', 'metadata']);
    assert.deepEqual(readdirSync(`${home}/metadata`), ['base']);
  });

  test('leaves what was there before, and what somebody else made meanwhile', async () => {
    using store = makeStore();
    const { home, runHome } = store.context('devicemapper');
    mkdirSync(`${home}/devicemapper`, { recursive: true });
    writeFileSync(`${home}/devicemapper/data`, 'old');
    const setup = new FirstSetup({ home, runHome });
    made(home);
    writeFileSync(`${home}/mnt/theirs`, '');
    await setup.undo(pool(home), false, isEmpty);
    assert.deepEqual(readdirSync(home).toSorted(), ['devicemapper', 'mnt']);
    assert.deepEqual(readdirSync(`${home}/devicemapper`), ['data']);
    assert.equal(readFileSync(`${home}/devicemapper/data`, 'utf8'), 'old');
  });

  test('takes down a pool that is new, waits for it, and leaves all of a pool that stays', async () => {
    using store = makeStore();
    const { home, runHome } = store.context('devicemapper');
    const device: PoolToUndo['device'] = () => ({
      major: 253,
      minor: 0,
      users: 1,
      isLive: true,
      isSuspended: false,
      isLeaving: false,
    });
    const setup = new FirstSetup({ home, runHome });
    const files = made(home);
    let tries = 0;
    const stays = pool(home, { device, deactivate: () => tries++ < 0 });
    await setup.undo(stays, false, isEmpty);
    for (const file of files) assert.ok(existsSync(`${home}/${file}`), file);
    assert.ok(tries > 10);
    tries = 0;
    const goes = pool(home, {
      device: () => (tries < 3 ? device() : undefined),
      deactivate: () => ++tries === 3,
    });
    // A process that was killed made it while this one waited for the lock.
    await setup.undo(goes, true, isEmpty);
    assert.equal(tries, 3);
    assert.equal(existsSync(home), false);
  });

  test('leaves the record of a device in a pool of others', async () => {
    using store = makeStore();
    const { home, runHome } = store.context('devicemapper');
    const setup = new FirstSetup({ home, runHome });
    mkdirSync(`${home}/metadata`, { recursive: true });
    writeFileSync(`${home}/metadata/base`, '');
    const theirs = pool(home, { isOurs: false, files: { data: undefined, metadata: undefined } });
    await setup.undo(theirs, true, () => false);
    assert.ok(existsSync(`${home}/metadata/base`));
    await setup.undo(theirs, true, isEmpty);
    assert.equal(existsSync(home), false);
  });
});
