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

async function check(name: string): Promise<void> {
  const driver = await open(name);
  assert.equal(driver.capabilities.quota, true, 'it says that it has quotas');
  const base = newId();
  await driver.create(base, undefined);
  {
    await using mounted = await driver.get(base);
    mkdirSync(`${mounted.path}/dir`);
    writeNewFile(`${mounted.path}/dir/large`, Buffer.alloc(4 * MIB, 'b'));
  }
  const ids = [newId(), newId(), newId()];
  const [small = '', large = '', free = ''] = ids;
  await driver.createReadWrite(small, base, { storageOptions: { size: '8M' } });
  await driver.createReadWrite(large, base, { storageOptions: { size: '24m' } });
  await driver.createReadWrite(free, base);
  const [inSmall, inLarge, inFree] = [
    await fill(driver, small, 40),
    await fill(driver, large, 40),
    await fill(driver, free, 40),
  ];
  // vfs holds its own copy of what is below.
  const own = name === 'vfs' ? 4 : 0;
  assert.ok(inSmall >= 6 - own && inSmall <= 8 - own, `${inSmall} MiB went into 8`);
  assert.ok(inLarge >= 21 - own && inLarge <= 24 - own, `${inLarge} MiB went into 24`);
  assert.equal(inFree, 40, 'no limit without a size');
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
  await assertFails(
    driver.createReadWrite(newId(), base, { storageOptions: { size: '1x' } }),
    'InvalidParameter',
  );
  assert.deepEqual(
    readdirSync(`${folder}/${name}/.tsengine`).filter((one) => one !== 'lock'),
    [],
  );
  const key = name === 'vfs' ? 'size' : 'overlay2.size';
  const limited = await open(name, [[key, '8M']]);
  const byDefault = newId();
  await limited.createReadWrite(byDefault, base);
  assert.ok((await fill(limited, byDefault, 40)) <= 8, 'the default limits as well');
  await limited.remove(byDefault);
  await limited.remove(base);
}

async function main(): Promise<void> {
  assert.ok(existsSync(folder), 'name a folder');
  for (const name of ['overlay2', 'vfs']) await check(name);
  console.log('ok');
}

void main();
