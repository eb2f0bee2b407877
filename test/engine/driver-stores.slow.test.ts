/** `driver setup` and `driver teardown`, by way of btrfs, which this kernel has. Those of other drivers are tried in the lab. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { unmount } from '../../src/linux/mount.ts';
import { findMountAt } from '../../src/linux/mountinfo.ts';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));
const RUN = ['run', '--rm', '--network', 'none', 'tiny'];
const stores = (cli: Cli) => `${cli.dataRoot}/tsengine/stores`;
const home = (cli: Cli) => `${cli.dataRoot}/btrfs`;

async function withStore(): Promise<Cli> {
  const cli = openCli('btrfs');
  cli.ok(['driver', 'setup', '--size', '1g', 'btrfs']);
  return cli;
}

function fails(cli: Cli, args: readonly string[], words: RegExp): void {
  const { status, stderr } = cli.run(args);
  assert.equal(status, 1, stderr);
  assert.match(stderr, words);
  assert.equal(stderr.trim().split('\n').length, 1, stderr);
}

function nothingLeft(cli: Cli): void {
  assert.equal(findMountAt(home(cli)), undefined);
  assert.equal(existsSync(home(cli)), false);
  assert.equal(existsSync(`${cli.dataRoot}/image/btrfs`), false);
  assert.deepEqual(existsSync(stores(cli)) ? readdirSync(stores(cli)) : [], []);
}

test('driver check takes the store that was made', async () => {
  await using cli = await withStore();
  assert.match(
    cli.ok(['driver', 'check', 'btrfs', '--only', 'named as Docker names']),
    /^1 passed, 0 failed, 0 excused$/m,
  );
});

test('a store is made, used, attached again after a boot and taken away', async () => {
  await using cli = await withStore();
  assert.equal(findMountAt(home(cli))?.type, 'btrfs');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  assert.equal(cli.ok([...RUN, 'echo', 'one']), 'one\n');
  const small = cli.run(['run', '--rm', '--network', 'none', '--storage-opt', 'size=512k', 'tiny', 'true']);
  assert.equal(small.status, 125);
  assert.match(
    small.stderr,
    /^tsengine: size=512k has no room for what the container begins with, .*: give it more\n$/,
  );
  assert.equal(cli.ok(['ps', '-aq']), '');
  // What a boot leaves: the file, and nothing mounted.
  unmount(home(cli));
  assert.deepEqual(readdirSync(home(cli)), []);
  assert.equal(cli.ok([...RUN, 'echo', 'two']), 'two\n');
  fails(
    cli,
    ['driver', 'setup', 'btrfs'],
    /has a store already, made by driver setup, at .*\/btrfs: remove it with driver teardown\n$/,
  );
  fails(cli, ['driver', 'teardown', 'btrfs'], /holds images or containers.*--force/);
  assert.equal(cli.ok([...RUN, 'echo', 'three']), 'three\n');
  cli.ok(['run', '-d', '--network', 'none', 'tiny', 'sleep', '1000']);
  cli.ok(['driver', 'teardown', '--force', 'btrfs']);
  nothingLeft(cli);
  assert.deepEqual(
    readdirSync(cli.dataRoot).includes('containers') ? readdirSync(`${cli.dataRoot}/containers`) : [],
    [],
  );
});

test('a store that cannot be written says so in use, and what is in it can be read', async () => {
  await using cli = await withStore();
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  execFileSync('mount', ['-o', 'remount,ro', home(cli)]);
  try {
    const refused = cli.run([...RUN, 'true']);
    assert.equal(refused.status, 125);
    assert.match(
      refused.stderr,
      /^tsengine: btrfs: \/.*\/btrfs is on a read-only file system: choose another data root, or look at it with --read-only-root\n$/,
    );
    assert.match(cli.ok(['--read-only-root', 'images']), /^tiny /m);
    cli.ok(['save', 'tiny']);
  } finally {
    execFileSync('mount', ['-o', 'remount,rw', home(cli)]);
  }
  assert.equal(cli.ok([...RUN, 'echo', 'one']), 'one\n');
});

test('sizes that cannot be are refused, and leave nothing', async () => {
  await using cli = openCli('btrfs');
  const setUp = (size: string) => ['driver', 'setup', '--size', size, 'btrfs'];
  fails(cli, setUp('255m'), /^tsengine: size 267386880 is too small for a store: at least 256m\n$/);
  fails(
    cli,
    setUp('20P'),
    /^tsengine: size 22517998136852480 is too large for a store: no file can have it\n$/,
  );
  // More than ext4's and XFS's largest files.
  fails(cli, setUp('7.9P'), /^tsengine: size \d+ is too large for a store|no space/);
  nothingLeft(cli);
});

test('an image that another driver of the root has can be brought by the command that is told', async () => {
  await using cli = await withStore();
  cli.ok(['--storage-driver', 'vfs', 'import', await tinyRootfs(), 'tiny:2']);
  const run = ['run', '--rm', '--network', 'none', 'tiny:2', 'echo', 'brought'];
  const { status, stderr } = cli.run(run);
  assert.equal(status, 125);
  const command =
    /^tsengine: Unable to find image 'tiny:2' locally; another driver of this data root has it: (.*)\n$/.exec(
      stderr,
    )?.[1];
  assert.equal(
    command,
    `tsengine --data-root ${cli.dataRoot} -s vfs save tiny:2 | tsengine --data-root ${cli.dataRoot} -s btrfs load`,
  );
  const script =
    command?.replaceAll('tsengine --data-root', `"$0" --exec-root '${cli.execRoot}' --data-root`) ?? '';
  const ended = spawnSync('sh', ['-c', script, launcher], { encoding: 'utf8' });
  assert.equal(ended.status, 0, ended.stderr);
  assert.equal(cli.ok(run), 'brought\n');
});

test('a store in use stays', async () => {
  await using cli = await withStore();
  const before = process.cwd();
  process.chdir(home(cli));
  try {
    fails(cli, ['driver', 'teardown', 'btrfs'], /is in use: stop what works in it/);
  } finally {
    process.chdir(before);
  }
  assert.equal(findMountAt(home(cli))?.type, 'btrfs');
  cli.ok(['driver', 'teardown', 'btrfs']);
  nothingLeft(cli);
  fails(cli, ['driver', 'teardown', 'btrfs'], /has no store that driver setup made/);
});

test('what a killed setup or teardown left is made anew, or taken away for good', async () => {
  await using cli = await withStore();
  const record = `${stores(cli)}/btrfs/store.json`;
  const ready = readFileSync(record, 'utf8');
  writeFileSync(record, ready.replace('ready', 'making'));
  cli.ok(['driver', 'setup', '--size', '512m', 'btrfs']);
  assert.equal(JSON.parse(readFileSync(record, 'utf8')).size, 512 * 1024 * 1024);
  writeFileSync(record, readFileSync(record, 'utf8').replace('ready', 'going'));
  unmount(home(cli));
  fails(cli, ['images'], /the store of btrfs is being taken away.*driver teardown btrfs/);
  assert.equal(findMountAt(home(cli)), undefined);
  fails(cli, ['driver', 'setup', 'btrfs'], /remove it with driver teardown\n$/);
  cli.ok(['driver', 'teardown', 'btrfs']);
  nothingLeft(cli);
});

test('a store whose file is gone or whose record is damaged is told in one line', async () => {
  await using cli = await withStore();
  const record = `${stores(cli)}/btrfs/store.json`;
  const image = `${stores(cli)}/btrfs/image`;
  unmount(home(cli));
  renameSync(image, `${image}.away`);
  fails(cli, ['images'], /image, which driver setup made for btrfs, is gone/);
  renameSync(`${image}.away`, image);
  cli.ok(['images']);
  const text = readFileSync(record);
  writeFileSync(record, '{"version": 7}');
  fails(cli, ['images'], /store\.json is damaged/);
  writeFileSync(record, text);
  unmount(home(cli));
  renameSync(image, `${image}.away`);
  const { status, stderr } = cli.run(['driver', 'teardown', '--force', 'btrfs']);
  assert.equal(status, 0, stderr);
  nothingLeft(cli);
});

test('a store that cannot be attached is in nobody else’s way, and can be taken away', async () => {
  await using cli = await withStore();
  const damaged =
    /^tsengine: \S*\/stores\/btrfs\/image, which driver setup made for btrfs, cannot be mounted, because it is damaged \(mount .*\): .* driver teardown --force\n$/;
  unmount(home(cli));
  writeFileSync(`${stores(cli)}/btrfs/image`, Buffer.alloc(1024 * 1024, 'no file system'));
  fails(cli, ['images'], damaged);
  const others = cli.command.map((word) => (word === 'btrfs' ? 'overlay2' : word));
  const [program = '', ...words] = others;
  const overlay2 = spawnSync(program, [...words, 'images', '-q'], { encoding: 'utf8' });
  assert.deepEqual([overlay2.status, overlay2.stderr], [0, '']);
  fails(cli, ['driver', 'teardown', 'btrfs'], damaged);
  const { status, stderr } = cli.run(['driver', 'teardown', '--force', 'btrfs']);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /^WARNING: containers of btrfs may stay on record/);
  nothingLeft(cli);
});

test('a driver without a store keeps its containers, whatever teardown is told', async () => {
  await using cli = openCli('overlay2');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  cli.ok(['create', '--network', 'none', '--name', 'kept', 'tiny', 'true']);
  fails(cli, ['driver', 'teardown', '--force', 'overlay2'], /needs no store/);
  fails(cli, ['driver', 'teardown', '--force', 'btrfs'], /has no store that driver setup made/);
  assert.match(cli.ok(['ps', '-a']), /kept/);
});

test('what cannot be had is refused, and leaves nothing', async () => {
  await using cli = openCli('overlay2');
  fails(cli, ['driver', 'setup', '--size', '3m', 'btrfs'], /too small/);
  fails(cli, ['driver', 'setup', '--size', 'big', 'btrfs'], /invalid size/);
  fails(cli, ['driver', 'setup', 'vfs'], /needs no store/);
  fails(cli, ['driver', 'setup', 'extfs'], /unknown storage driver/);
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  nothingLeft(cli);
  assert.equal(cli.ok([...RUN, 'echo', 'still']), 'still\n');
});
