/**
 * What only OpenZFS can show; run in a machine of the lab: `node - DATASET FOLDER`, the dataset mounted at the folder and empty.
 * Ends with 1 and what is wrong. The suite itself: `tsengine driver check zfs`.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { compareTrees } from '../../src/drivers/compare-trees.ts';
import { assertFails, changeLines, imageLayer, inside } from '../../src/drivers/conformance/layers.ts';
import { newId } from '../../src/drivers/conformance/suite.ts';
import type { DriverContext, GraphDriver } from '../../src/drivers/driver.ts';
import { driverFactory } from '../../src/drivers/registry.ts';
import { Datasets } from '../../src/drivers/zfs/datasets.ts';
import { ZfsDriver } from '../../src/drivers/zfs/driver.ts';
import { hasErrno } from '../../src/errors.ts';
import { writeNewFile } from '../../src/linux/files.ts';
import { readMountInfo } from '../../src/linux/mountinfo.ts';
import { lsetxattr } from '../../src/linux/xattr.ts';
import { zfsExists, zfsSnapshot } from '../../src/linux/zfs-core.ts';

const MIB = 1024 * 1024;
const [dataset = '', folder = ''] = process.argv.slice(-2);
const home = `${folder}/root/zfs`;

async function open(extra: Partial<DriverContext> = {}): Promise<GraphDriver> {
  const factory = await driverFactory('zfs');
  return await factory.open({ home, runHome: '/run/zfs-checks', options: [], warn: () => {}, ...extra });
}

function zfs(...args: string[]): string {
  return execFileSync('zfs', args, { encoding: 'utf8' });
}

function fill(root: string): void {
  for (const name of ['d/e', 'ren', 'mode', 'move/deep', 'swap'])
    fs.mkdirSync(`${root}/${name}`, { recursive: true });
  for (const name of 'mod chmod chown xattr touch del old repl trunc read one ren/in d/e/deep move/deep/x swap/x'.split(
    ' ',
  ))
    fs.writeFileSync(`${root}/${name}`, name);
  for (const name of ['mod', 'chmod', 'one', 'xattr']) fs.linkSync(`${root}/${name}`, `${root}/d/${name}`);
  fs.linkSync(`${root}/mod`, `${root}/d/e/mod`);
  // Of this one zfs diff would tell nothing: it has lost the name that it got last.
  fs.writeFileSync(`${root}/lost`, 'lost');
  fs.linkSync(`${root}/lost`, `${root}/d/lost`);
  fs.rmSync(`${root}/d/lost`);
  fs.writeFileSync(Buffer.from(`${root}/b\xff\t\n\\ `, 'latin1'), 'bytes');
}

function change(root: string): void {
  fs.appendFileSync(`${root}/mod`, ' more');
  fs.rmSync(`${root}/d/e/mod`);
  fs.chmodSync(`${root}/d/chmod`, 0o600);
  fs.chownSync(`${root}/chown`, 5, 6);
  lsetxattr(`${root}/xattr`, 'user.new', Buffer.from('value'));
  fs.utimesSync(`${root}/touch`, 1, 1);
  fs.rmSync(`${root}/del`);
  fs.renameSync(`${root}/old`, `${root}/new`);
  fs.writeFileSync(`${root}/other`, 'REPL');
  fs.renameSync(`${root}/other`, `${root}/repl`);
  fs.truncateSync(`${root}/trunc`);
  fs.readFileSync(`${root}/read`);
  fs.linkSync(`${root}/one`, `${root}/two`);
  fs.renameSync(`${root}/ren`, `${root}/renamed`);
  fs.chmodSync(`${root}/mode`, 0o700);
  fs.rmSync(`${root}/d/e`, { recursive: true });
  fs.mkdirSync(`${root}/d/e`);
  fs.writeFileSync(`${root}/d/e/deep`, 'again');
  fs.renameSync(`${root}/move/deep`, `${root}/deeper`);
  fs.rmSync(`${root}/swap`, { recursive: true });
  fs.symlinkSync('mod', `${root}/swap`);
  fs.appendFileSync(Buffer.from(`${root}/b\xff\t\n\\ `, 'latin1'), ' more');
  fs.appendFileSync(`${root}/lost`, ' more');
  fs.writeFileSync(`${root}/new name`, '');
}

/** The changes, which must be those of comparing the mounted trees. */
async function compared(driver: GraphDriver, id: string, parent: string): Promise<readonly string[]> {
  await using layer = await driver.get(id);
  await using base = await driver.get(parent);
  const all = changeLines(compareTrees(layer.path, base.path));
  assert.deepEqual(changeLines(await driver.changes(id, parent)), all);
  return all;
}

async function child(driver: GraphDriver, parent: string, write: (root: string) => void): Promise<string> {
  const id = newId();
  await driver.createReadWrite(id, parent);
  await inside(driver, id, write);
  return id;
}

async function changes(): Promise<void> {
  const driver = await open();
  const base = await imageLayer(driver, undefined, fill);
  assert.ok((await compared(driver, await child(driver, base, change), base)).length > 25);
  assert.deepEqual(await compared(driver, await child(driver, base, () => {}), base), []);
  // As Docker's layers are: attributes as files of their own, and access times.
  const plain = await imageLayer(driver, undefined, () => {});
  zfs('set', 'xattr=on', 'atime=on', `${dataset}/${plain}`);
  await inside(driver, plain, (root) => {
    fill(root);
    lsetxattr(`${root}/xattr`, 'user.old', Buffer.from('value'));
  });
  const top = newId();
  await driver.create(top, plain);
  zfs('set', 'xattr=on', 'atime=on', `${dataset}/${top}`);
  await inside(driver, top, change);
  await compared(driver, top, plain);
  // Against its contract, the parent changes as well.
  await inside(driver, plain, (root) => fs.writeFileSync(`${root}/read`, 'in the parent alone'));
  assert.ok((await compared(driver, top, plain)).includes('modified /read'));
}

function advance(seconds: number): void {
  execFileSync('date', ['-s', `@${Math.trunc(Date.now() / 1000) + seconds}`], { stdio: 'ignore' });
}

/** What changes in metadata alone, beside what is written, while the clock is behind, has no time that tells. */
async function clockBehind(): Promise<void> {
  const driver = await open();
  const base = await imageLayer(driver, undefined, (root) => {
    for (let file = 0; file < 64; file += 1) fs.writeFileSync(`${root}/${file}`, `${file}`);
  });
  const id = newId();
  await driver.createReadWrite(id, base);
  advance(-3600);
  try {
    await inside(driver, id, (root) => {
      for (let file = 1; file < 64; file += 2) fs.chmodSync(`${root}/${file}`, 0o600);
      for (let file = 0; file < 64; file += 8) fs.appendFileSync(`${root}/${file}`, ' more');
    });
  } finally {
    advance(3600);
  }
  assert.equal((await compared(driver, id, base)).length, 32 + 8);
}

/** Somebody holds the snapshots of a layer's changes as soon as they are there. */
class HeldDatasets extends Datasets {
  override async snapshot(...names: readonly string[]): Promise<void> {
    await super.snapshot(...names);
    const [name = ''] = names;
    execFileSync('mount', ['-t', 'zfs', name, '/mnt']);
  }
}

async function held(): Promise<void> {
  const driver = await open();
  const base = await imageLayer(driver, undefined, fill);
  const id = await child(driver, base, change);
  const told: string[] = [];
  const context = { home, runHome: '/run/zfs-checks', options: [], warn: (line: string) => told.push(line) };
  const holding = new ZfsDriver(context, new HeldDatasets(dataset));
  let lines: string[];
  try {
    lines = changeLines(await holding.changes(id, base));
  } finally {
    execFileSync('umount', ['/mnt']);
  }
  assert.deepEqual(lines, await compared(driver, id, base));
  assert.equal(told.length, 1, told.join('\n'));
  assert.match(
    told[0] ?? '',
    new RegExp(`^zfs: the snapshot ${dataset}/${id}@\\d+ stays .*: device or resource busy`),
  );
  assert.deepEqual(fs.readdirSync(`${home}/.tsengine`), ['lock']);
  await driver.remove(id);
  assert.equal(zfs('list', '-H', '-t', 'snapshot', '-o', 'name', `${dataset}/${base}`), '');
  await driver.remove(base);
}

/** A container that starts has a copy of all mounts until it is in its own root. */
async function copied(): Promise<void> {
  const driver = await open();
  const id = await imageLayer(driver, undefined, () => {});
  const script = `mount -t zfs ${dataset}/${id} /mnt && echo mounted && sleep 0.6`;
  const starting = spawn('unshare', ['--mount', 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => starting.stdout.once('data', resolve));
  await driver.remove(id);
  assert.equal(await driver.exists(id), false);
  // What is mounted before our eyes stays, and is not waited for.
  const mounted = await imageLayer(driver, undefined, () => {});
  execFileSync('mount', ['-t', 'zfs', `${dataset}/${mounted}`, '/mnt']);
  await assertFails(driver.remove(mounted), 'Conflict', /in use/);
  assert.ok(readMountInfo().some(({ source }) => source.toString() === `${dataset}/${mounted}`));
  execFileSync('umount', ['/mnt']);
  await driver.remove(mounted);
}

/** Files from a time when the clock was ahead look as though they were written after the layer was made. */
async function clock(): Promise<void> {
  const driver = await open();
  const names = Array.from({ length: 64 }, (_, index) => `${index}`);
  let base = '';
  advance(3600);
  try {
    base = await imageLayer(driver, undefined, (root) => {
      fs.mkdirSync(`${root}/dir`);
      for (const name of names) fs.writeFileSync(`${root}/dir/${name}`, name);
    });
  } finally {
    advance(-3600);
  }
  const id = await child(driver, base, (root) => {
    const { atime, mtime } = fs.statSync(`${root}/dir/20`);
    fs.appendFileSync(`${root}/dir/10`, 'more');
    fs.writeFileSync(`${root}/dir/20`, '02');
    fs.utimesSync(`${root}/dir/20`, atime, mtime);
    fs.chmodSync(`${root}/dir/30`, 0o600);
    lsetxattr(`${root}/dir/40`, 'user.new', Buffer.from('value'));
  });
  const changed = ['', '/10', '/20', '/30', '/40'].map((name) => `modified /dir${name}`);
  assert.deepEqual(await compared(driver, id, base), changed);
}

async function quota(): Promise<void> {
  const driver = await open();
  const base = await imageLayer(driver, undefined, (root) =>
    fs.writeFileSync(`${root}/b`, Buffer.alloc(4 * MIB, 'b')),
  );
  const id = newId();
  await driver.createReadWrite(id, base, { storageOptions: { size: '8M' } });
  assert.equal(zfs('get', '-Hpo', 'value', 'quota', `${dataset}/${id}`).trim(), String(8 * MIB));
  const full = await inside(driver, id, (root) => {
    try {
      for (let written = 0; written < 64; written += 1) {
        writeNewFile(`${root}/filled-${written}`, randomBytes(MIB));
      }
      return false;
    } catch (error) {
      return hasErrno(error, 'EDQUOT', 'ENOSPC');
    }
  });
  assert.ok(full, '64 MiB went into 8');
}

async function crashes(): Promise<void> {
  const driver = await open();
  const base = await imageLayer(driver, undefined, () => {});
  const left = `${dataset}/${base}@1234`;
  await zfsSnapshot(left);
  fs.writeFileSync(`${home}/.tsengine/${newId()}.1.0`, left);
  // A clone that lost its power before it had its properties.
  const half = newId();
  zfs('create', '-o', 'canmount=off', `${dataset}/${half}`);
  fs.writeFileSync(`${home}/.tsengine/${half}.1.0`, '');
  await open();
  assert.deepEqual([zfsExists(left), zfsExists(`${dataset}/${half}`)], [false, false]);
  assert.deepEqual(fs.readdirSync(`${home}/.tsengine`), ['lock']);
  const snapshots = zfs('list', '-H', '-t', 'snapshot', '-o', 'defer_destroy', '-r', dataset)
    .trim()
    .split('\n');
  assert.ok(
    snapshots.every((state) => state === 'on'),
    'a snapshot stays',
  );
}

async function others(): Promise<void> {
  const driver = await open();
  const theirs = newId();
  zfs('create', '-o', 'mountpoint=legacy', `${dataset}/${theirs}`);
  assert.equal((await driver.list()).includes(theirs), false, 'a layer of another store is not ours');
  const fresh = await open({ home: `${folder}/second/zfs`, runHome: '/run/zfs-second' });
  assert.deepEqual(await fresh.list(), []);
  // Docker's root has layers, and no mark.
  fs.mkdirSync(`${folder}/docker/zfs/graph`, { recursive: true });
  const adopted = await open({ home: `${folder}/docker/zfs`, runHome: '/run/zfs-docker' });
  assert.deepEqual(await adopted.list(), [theirs]);
}

async function reading(): Promise<void> {
  const driver = await open();
  const base = await imageLayer(driver, undefined, (root) => fs.writeFileSync(`${root}/a`, 'a'));
  const looking = await open({ readOnly: true });
  {
    await using view = await looking.get(base);
    assert.equal(fs.readFileSync(`${view.path}/a`, 'utf8'), 'a');
    assert.throws(() => fs.writeFileSync(`${view.path}/b`, ''), { code: 'EROFS' });
    await using writer = await driver.get(base);
    fs.writeFileSync(`${writer.path}/b`, 'b');
    assert.equal(fs.readFileSync(`${view.path}/b`, 'utf8'), 'b');
  }
  await assertFails(looking.remove(base), 'Forbidden');
  {
    await using view = await driver.get(base, undefined, { isReadOnly: true });
    assert.equal(fs.readFileSync(`${view.path}/a`, 'utf8'), 'a');
    await assertFails(driver.remove(base), 'Conflict', /in use/);
  }
  await driver.remove(base);
}

async function refusals(): Promise<void> {
  const none = open({ options: [['zfs.fsname', 'nopool/none']] });
  await assertFails(none, 'Unavailable', /there is no dataset nopool\/none: zpool import nopool, zfs create/);
  const ext4 = open({ home: '/var/tmp/zfs-refused/zfs' });
  await assertFails(ext4, 'Unavailable', /keeps layers as datasets, and .* is on extfs/);
  assert.equal(fs.existsSync('/var/tmp/zfs-refused'), false);
  const named = await open({
    home: '/var/tmp/zfs-named/zfs',
    options: [['zfs.fsname', dataset]],
    runHome: '/run/zfs-named',
  });
  const id = await imageLayer(named, undefined, (root) => fs.writeFileSync(`${root}/a`, 'a'));
  assert.ok(zfsExists(`${dataset}/${id}`), 'a dataset that is named serves any data root');
  const [pool = ''] = dataset.split('/');
  await (await open()).cleanup();
  execFileSync('zpool', ['export', pool]);
  await assertFails(open({ options: [['zfs.fsname', dataset]] }), 'Unavailable', /there is no dataset/);
  await assertFails(named.remove(id), 'Unavailable', /there is no dataset .*: zpool import/);
  execFileSync('zpool', ['import', pool]);
  await named.remove(id);
  await named.remove(id);
  assert.equal(zfsExists(`${dataset}/${id}`), false);
  execFileSync('zpool', ['export', pool]);
  execFileSync('zpool', ['import', '-o', 'readonly=on', pool]);
  const created = (await open()).create(newId(), undefined);
  await assertFails(
    created,
    'Unavailable',
    /^zfs: \/.* is on a read-only file system: choose another data root, or look at it with --read-only-root$/,
  );
}

async function main(): Promise<void> {
  for (const check of [
    changes,
    clock,
    clockBehind,
    held,
    copied,
    quota,
    crashes,
    others,
    reading,
    refusals,
  ]) {
    await check();
    console.log(check.name);
  }
}

void main();
