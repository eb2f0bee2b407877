/**
 * What `size` must do where the filesystem keeps it; run in a machine of the lab, whose kernel has project quotas, on a
 * filesystem that was mounted with them: `node - FOLDER`. Ends with 1 and what is wrong.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { assertFails } from '../../src/drivers/conformance/layers.ts';
import type { GraphDriver } from '../../src/drivers/driver.ts';
import { driverFactory } from '../../src/drivers/registry.ts';
import { hasErrno } from '../../src/errors.ts';
import { openFile, writeNewFile } from '../../src/linux/files.ts';
import { projectOf } from '../../src/linux/project-quota.ts';

const MIB = 1024 * 1024;
const folder = process.argv.at(-1) ?? '';

async function open(
  name: string,
  options: readonly (readonly [string, string])[] = [],
): Promise<GraphDriver> {
  const factory = await driverFactory(name);
  const context = { home: `${folder}/${name}`, runHome: `/run/quotas/${name}`, options, warn: () => {} };
  return await factory.open(context);
}

const newId = (): string => randomBytes(32).toString('hex');

/** How many MiB go into the layer before the filesystem says that it is enough. */
async function fill(driver: GraphDriver, id: string, most: number): Promise<number> {
  await using mounted = await driver.get(id);
  for (let written = 0; written < most; written += 1) {
    try {
      writeNewFile(`${mounted.path}/filled-${written}`, Buffer.alloc(MIB, 'x'), { durable: false });
    } catch (error) {
      assert.ok(hasErrno(error, 'EDQUOT', 'ENOSPC'), String(error));
      return written;
    }
  }
  return most;
}

/** A layer with a directory, and in it a file of 4 MiB. */
async function makeBase(driver: GraphDriver): Promise<string> {
  const base = newId();
  await driver.create(base, undefined);
  await using mounted = await driver.get(base);
  mkdirSync(`${mounted.path}/dir`);
  writeNewFile(`${mounted.path}/dir/large`, Buffer.alloc(4 * MIB, 'b'));
  return base;
}

/** Containers of 8 MiB, of 24 MiB and without a size get as much as that, each in a project of its own. */
async function keepsSizes(driver: GraphDriver, name: string, base: string): Promise<void> {
  const ids = [newId(), newId(), newId()];
  const [small = '', large = '', free = ''] = ids;
  await driver.createReadWrite(small, base, { storageOptions: { size: '8M' } });
  await driver.createReadWrite(large, base, { storageOptions: { size: '24m' } });
  await driver.createReadWrite(free, base);
  const inSmall = await fill(driver, small, 40);
  const inLarge = await fill(driver, large, 40);
  // vfs holds its own copy of what is below.
  const own = name === 'vfs' ? 4 : 0;
  assert.ok(inSmall >= 6 - own && inSmall <= 8 - own, `${inSmall} MiB went into 8`);
  assert.ok(inLarge >= 21 - own && inLarge <= 24 - own, `${inLarge} MiB went into 24`);
  assert.equal(await fill(driver, free, 40), 40, 'no limit without a size');
  // A copy-up counts as what a container writes.
  if (name === 'overlay2') {
    await using mounted = await driver.get(small);
    assert.throws(() => openFile(`${mounted.path}/dir/large`, 'a'), /disk quota exceeded|no space left/);
  }
  const layers = name === 'vfs' ? `${folder}/vfs/dir` : `${folder}/overlay2`;
  const projects = ids.map((id) => projectOf(`${layers}/${id}`));
  assert.equal(new Set(projects).size, 3, `one project each: ${projects.join(' ')}`);
  assert.equal(projects[2], 0);
  for (const id of ids) await driver.remove(id);
}

async function refusesNonsense(driver: GraphDriver, name: string, base: string): Promise<void> {
  for (const size of ['1x', '20']) {
    const nonsense = driver.createReadWrite(newId(), base, { storageOptions: { size } });
    await assertFails(nonsense, 'InvalidParameter');
  }
  const left = readdirSync(`${folder}/${name}/.tsengine`).filter((one) => one !== 'lock');
  assert.deepEqual(left, []);
}

/** A size for all containers that name none, by an option of the driver's. */
async function keepsDefault(name: string, base: string): Promise<void> {
  const key = name === 'vfs' ? 'size' : 'overlay2.size';
  const limited = await open(name, [[key, '8M']]);
  const byDefault = newId();
  await limited.createReadWrite(byDefault, base);
  assert.ok((await fill(limited, byDefault, 40)) <= 8, 'the default limits as well');
  await limited.remove(byDefault);
}

async function check(name: string): Promise<void> {
  const driver = await open(name);
  assert.equal(driver.capabilities.quota, true, 'it says that it has quotas');
  const base = await makeBase(driver);
  await keepsSizes(driver, name, base);
  await refusesNonsense(driver, name, base);
  await keepsDefault(name, base);
  await driver.remove(base);
}

async function main(): Promise<void> {
  assert.ok(existsSync(folder), 'name a folder');
  for (const name of ['overlay2', 'vfs']) await check(name);
  console.log('ok');
}

void main();
