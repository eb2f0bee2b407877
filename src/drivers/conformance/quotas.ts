/** Checks on `size` of a container: kept to where the driver says that it can, and refused elsewhere. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { hasErrno } from '../../errors.ts';
import { fallocate } from '../../linux/space.ts';
import type { GraphDriver } from '../driver.ts';
import { assertFails, imageLayer, inside } from './layers.ts';
import { type Check, newId } from './suite.ts';
import { write } from './trees.ts';

const MIB = 1024 * 1024;
/** What a layer is limited to, how much must fit into it, and how much must not: metadata counts, and some count late. */
const LIMIT = 16 * MIB;
const FITTING = 11;
const TOO_MUCH = 24;
/** By how much a layer that is a filesystem of its own is made larger than its image's. */
const GROWTH = 64 * MIB;
const NOBODY = 65_534;

const OVER_LIMIT = /disk quota exceeded|no space left on device/i;

/**
 * Writes so many MiB that do not compress to the end of a file, each synced before the next, as somebody who has no capabilities:
 * ext4 lets who has CAP_SYS_RESOURCE pass a limit. Gives whether all of it went in.
 */
function fits(file: string, count: number): boolean {
  const fd = fs.openSync(file, 'as');
  try {
    const { status, error, stderr } = spawnSync(
      'dd',
      ['if=/dev/urandom', `bs=${MIB}`, `count=${count}`, 'iflag=fullblock', 'conv=fsync'],
      {
        stdio: ['ignore', fd, 'pipe'],
        encoding: 'utf8',
        uid: NOBODY,
        gid: NOBODY,
        cwd: '/',
        env: { ...process.env, LC_ALL: 'C' },
      },
    );
    if (error !== undefined) throw error;
    if (status === 0) return true;
    assert.match(stderr, OVER_LIMIT);
    return false;
  } finally {
    fs.closeSync(fd);
  }
}

/** What people are told of a limit: by `df` in the container, or where the driver says so by `inspect` alone. */
async function isTold(driver: GraphDriver, limited: string, free: string): Promise<void> {
  const room = await roomOf(driver, limited);
  const usual = await roomOf(driver, free);
  const told = [(await driver.metadata(limited))?.Size, (await driver.metadata(free))?.Size];
  if (driver.capabilities.quotaInMetadata === true) {
    assert.deepEqual(told, [String(LIMIT), undefined]);
    // Some change a little with what is written.
    assert.ok(room > LIMIT * 2 && Math.abs(room - usual) < LIMIT, `df has ${room} bytes, usually ${usual}`);
  } else {
    assert.deepEqual(told, [undefined, undefined]);
    assert.ok(room > LIMIT - 2 * MIB && room <= LIMIT + MIB, `df has ${room} bytes of ${LIMIT}`);
    assert.ok(usual > LIMIT * 2, `df has ${usual} bytes without a limit`);
  }
}

/** A driver that counts what is written. */
async function keepsCounted(driver: GraphDriver): Promise<void> {
  const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
  const [limited, free] = [newId(), newId()];
  await driver.createReadWrite(limited, image, { storageOptions: { size: String(LIMIT) } });
  await driver.createReadWrite(free, image);
  await isTold(driver, limited, free);
  await inside(driver, limited, (root) => {
    assert.equal(fits(`${root}/big`, FITTING), true, `${FITTING} MiB do not fit into 16`);
    assert.equal(fits(`${root}/big`, 2 * TOO_MUCH), false, `${FITTING + 2 * TOO_MUCH} MiB went into 16`);
    const { size } = fs.statSync(`${root}/big`);
    assert.ok(size >= FITTING * MIB && size <= TOO_MUCH * MIB, `${size} bytes went into ${LIMIT}`);
  });
  const unlimited = (root: string) => assert.equal(fits(`${root}/big`, TOO_MUCH + 2), true);
  await inside(driver, free, unlimited);
  await driver.remove(limited);
  // The limit is the layer's, and not that of whoever has its id.
  await driver.createReadWrite(limited, image);
  await inside(driver, limited, unlimited);
  assert.equal((await driver.metadata(limited))?.Size, undefined);
  for (const id of [limited, free, image]) await driver.remove(id);
}

/** Whether so many bytes can be set aside in a filesystem. Costs no space below it. */
function canSetAside(file: string, bytes: number): boolean {
  const fd = fs.openSync(file, 'w');
  try {
    fallocate(fd, 0, 0, bytes);
    return true;
  } catch (error) {
    if (!hasErrno(error, 'ENOSPC')) throw error;
    return false;
  } finally {
    fs.closeSync(fd);
    fs.rmSync(file);
  }
}

async function deviceSize(driver: GraphDriver, id: string): Promise<number> {
  return Number((await driver.metadata(id))?.DeviceSize);
}

/** What a layer that is a filesystem of its own can hold, in bytes. */
async function roomOf(driver: GraphDriver, id: string): Promise<number> {
  return await inside(driver, id, (root) => {
    const { blocks, bsize } = fs.statfsSync(root);
    return blocks * bsize;
  });
}

/** A driver whose layers are filesystems: the limit is the size of one, and none is smaller than its image's. */
async function keepsFilesystems(driver: GraphDriver): Promise<void> {
  const image = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
  const least = await deviceSize(driver, image);
  const size = least + GROWTH;
  const [limited, free] = [newId(), newId()];
  const small = { storageOptions: { size: String(least - 1) } };
  await assertFails(driver.createReadWrite(limited, image, small), 'InvalidParameter', /too small/);
  assert.equal(await driver.exists(limited), false);
  await driver.createReadWrite(limited, image, { storageOptions: { size: String(size) } });
  await driver.createReadWrite(free, image);
  assert.deepEqual([await deviceSize(driver, limited), await deviceSize(driver, free)], [size, least]);
  const usual = await roomOf(driver, free);
  const room = await roomOf(driver, limited);
  assert.ok(room > usual + GROWTH / 2 && room <= size, `room for ${room} bytes in ${size}, usually ${usual}`);
  await inside(driver, limited, (root) => {
    assert.equal(canSetAside(`${root}/big`, Math.floor(size * 0.7)), true);
    assert.equal(canSetAside(`${root}/big`, Math.floor(size * 1.5)), false);
    assert.equal(fits(`${root}/small`, 1), true);
  });
  await driver.remove(limited);
  await driver.createReadWrite(limited, image);
  assert.equal(await deviceSize(driver, limited), least);
  assert.equal(await roomOf(driver, limited), usual);
  for (const id of [limited, free, image]) await driver.remove(id);
}

async function refuses(driver: GraphDriver): Promise<void> {
  const id = newId();
  const options = { storageOptions: { size: '10M' } };
  await assertFails(driver.createReadWrite(id, undefined, options), 'InvalidParameter', /support/);
  assert.equal(await driver.exists(id), false);
}

export const quotaChecks: readonly Check[] = [
  {
    name: 'a quota is kept and told, or refused, never ignored',
    lengthy: true,
    run: async ({ driver }) => {
      const { quota, ownFilesystems } = driver.capabilities;
      if (!quota) await refuses(driver);
      else if (ownFilesystems === true) await keepsFilesystems(driver);
      else await keepsCounted(driver);
    },
  },
  {
    name: 'a size that is none is refused, and no layer is made',
    run: async ({ driver }) => {
      const id = newId();
      for (const size of ['', 'x', '1x', '-1', '0x10']) {
        const options = { storageOptions: { size } };
        await assertFails(driver.createReadWrite(id, undefined, options), 'InvalidParameter');
      }
      assert.equal(await driver.exists(id), false);
    },
  },
];
