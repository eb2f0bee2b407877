/** `driver teardown` where it is broken off, and stores of `driver setup` on a disk that fills. By way of btrfs; zfs is in zfs-fuse.slow.test.ts. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile } from '../../src/linux/flock.ts';
import { MS_BIND, mount, unmount } from '../../src/linux/mount.ts';
import { findMountAt } from '../../src/linux/mountinfo.ts';
import { removeTree } from '../../src/linux/remove-tree.ts';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, type Ended, openCli } from '../helpers/cli.ts';
import { tarOf } from '../helpers/images.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { fails, hints, home, listed, nothingLeft, stores, withStore } from '../helpers/made-stores.ts';

const RUN = ['run', '--rm', '--network', 'none', 'tiny'];
const skip = spawnSync('strace', ['-V']).status === 0 ? false : 'strace is not installed';

/** A plain teardown that looks into the store is killed at the record it writes last. */
function killTeardown(cli: Cli): void {
  const renames = 'rename,renameat,renameat2';
  const inject = ['-e', `trace=${renames}`, '-e', `inject=${renames}:signal=KILL:when=2`];
  const words = ['-f', '-o', '/dev/null', ...inject, ...cli.command, 'driver', 'teardown', 'btrfs'];
  const { signal, status } = spawnSync('strace', words);
  assert.ok(signal === 'SIGKILL' || status === 137, `${signal} ${status}`);
}

test('a teardown that is killed before it could refuse leaves all that is in the store', {
  skip,
}, async () => {
  await using cli = await withStore();
  const record = `${stores(cli)}/btrfs/store.json`;
  const ready = readFileSync(record, 'utf8');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  killTeardown(cli);
  assert.equal(readFileSync(record, 'utf8'), ready.replace('ready', 'going'));
  fails(cli, ['driver', 'teardown', 'btrfs'], /holds images or containers/);
  assert.equal(cli.ok([...RUN, 'echo', 'one']), 'one\n');
  // The same after a boot.
  killTeardown(cli);
  unmount(home(cli));
  fails(cli, ['driver', 'teardown', 'btrfs'], /holds images or containers/);
  assert.equal(readFileSync(record, 'utf8'), ready);
  assert.equal(cli.ok([...RUN, 'echo', 'two']), 'two\n');
  cli.ok(['create', '--network', 'none', 'tiny', 'true']);
  killTeardown(cli);
  cli.ok(['driver', 'teardown', '--force', 'btrfs']);
  nothingLeft(cli);
  assert.deepEqual(readdirSync(`${cli.dataRoot}/containers`), []);
});

test('a teardown goes on by itself only where the store was seen to be empty, or may go with all that is in it', async () => {
  await using cli = await withStore();
  const record = `${stores(cli)}/btrfs/store.json`;
  const put = (change: object): void =>
    writeFileSync(record, JSON.stringify({ ...JSON.parse(readFileSync(record, 'utf8')), ...change }));
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  // What works in it keeps it from being detached: what has come meanwhile is looked for again.
  const before = process.cwd();
  process.chdir(home(cli));
  try {
    cli.ok(['rmi', 'tiny']);
    fails(cli, ['driver', 'teardown', 'btrfs'], /is in use/);
    assert.equal(JSON.parse(readFileSync(record, 'utf8')).mayGo, undefined);
    put({ state: 'ready' });
    cli.ok(['import', await tinyRootfs(), 'tiny']);
    put({ state: 'going' });
    fails(cli, ['driver', 'teardown', 'btrfs'], /holds images or containers/);
    // Who works in it goes on, and so can others.
    fails(cli, ['driver', 'teardown', '--force', 'btrfs'], /is in use.* driver teardown --force btrfs\n$/);
    assert.match(cli.ok(['images']), /^tiny /m);
    put({ state: 'going', mayGo: true });
    fails(cli, ['driver', 'teardown', 'btrfs'], /is in use/);
    assert.equal(JSON.parse(readFileSync(record, 'utf8')).mayGo, true);
  } finally {
    process.chdir(before);
  }
  cli.ok(['driver', 'teardown', 'btrfs']);
  nothingLeft(cli);
});

/** Starts a command, and tells how it ends. */
function started(cli: Cli, args: readonly string[]): Promise<Ended> {
  const [program = '', ...words] = cli.command;
  return new Promise((resolve) => {
    const child = execFile(program, [...words, ...args], (_error, stdout, stderr) =>
      resolve({ status: child.exitCode, stdout, stderr }),
    );
  });
}

/** How many wait for the lock of a file. */
function waitersFor(path: string): number {
  const { ino } = statSync(path);
  const waiting = new RegExp(`^\\d+: +-> FLOCK .*:${ino} `, 'gm');
  return [...readFileSync('/proc/locks', 'utf8').matchAll(waiting)].length;
}

test('of several teardowns at once one takes the store away, and the others find none; a setup that waits makes one', async () => {
  await using cli = await withStore();
  const path = `${stores(cli)}/btrfs/lock`;
  const begin = async (...commands: readonly (readonly string[])[]): Promise<Ended[]> => {
    using held = await lockFile(path, 'exclusive');
    const running = commands.map((words) => started(cli, ['driver', ...words]));
    for (let tries = 0; waitersFor(path) < commands.length; tries++) {
      assert.ok(tries < 600);
      await sleep(50);
    }
    // As one that is done while the others wait.
    unmount(home(cli));
    rmdirSync(home(cli));
    removeTree(`${stores(cli)}/btrfs`);
    held.release();
    return await Promise.all(running);
  };
  for (const { status, stderr } of await begin(['teardown', '-f', 'btrfs'], ['teardown', 'btrfs'])) {
    assert.equal(
      stderr,
      'tsengine: btrfs has no store that driver setup made: there is nothing to take away\n',
    );
    assert.equal(status, 1);
  }
  nothingLeft(cli);
  cli.ok(['driver', 'setup', '--size', '1g', 'btrfs']);
  writeFileSync(`${stores(cli)}/btrfs/store.json`, '{"version": 1, "state": "making", "size": 1073741824}');
  const [made] = await begin(['setup', '--size', '512m', 'btrfs']);
  assert.equal(made?.status, 0, made?.stderr);
  assert.match(listed(cli), /^btrfs +supported +store of 512MiB/m);
  cli.ok(['driver', 'teardown', 'btrfs']);
});

test('a teardown leaves what the user had mounted below the store', async () => {
  await using cli = openCli('btrfs');
  mkdirSync(home(cli));
  mount({ source: 'none', target: home(cli), type: 'tmpfs' });
  for (const force of [[], ['--force']]) {
    cli.ok(['driver', 'setup', '--size', '1g', 'btrfs']);
    assert.equal(findMountAt(home(cli))?.type, 'btrfs');
    cli.ok(['driver', 'teardown', ...force, 'btrfs']);
    assert.equal(findMountAt(home(cli))?.type, 'tmpfs');
    assert.deepEqual(readdirSync(stores(cli)), []);
  }
  unmount(home(cli));
});

const MIB = 1024 * 1024;
const SHORT =
  /^tsengine: only \S+B are left on the disk of \/\S+\/stores\/btrfs\/image, which driver setup made for btrfs: make room there, 16MiB at least\n$/;
const FAILED =
  /\/btrfs has failed, because \/\S+\/stores\/btrfs\/image, which driver setup made for btrfs, could not be written: see that its disk has room \(\S+B are left\), then umount \S+\/btrfs, and the next command brings it back, or give it up with PROGRAM driver teardown --force btrfs\n/;

/** Fills a disk to the last byte, or with so many MiB. */
function fill(file: string, count?: number): void {
  const some = count === undefined ? [] : [`count=${count}`];
  spawnSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=1M', ...some]);
}

test('on a disk that is full a store takes nothing, says why in one line, and goes on when there is room', async () => {
  using disk = makeFilesystem('ext4', { size: 100 * MIB });
  await using cli = await withStore(disk.path);
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  const full = `${disk.path}/full`;
  fill(full);
  fails(cli, ['import', await tinyRootfs(), 'other'], SHORT);
  const refused = cli.run([...RUN, 'true']);
  assert.equal(refused.status, 125);
  assert.match(refused.stderr, SHORT);
  assert.match(
    listed(cli),
    /^btrfs +supported +store of 1GiB, made by driver setup; only \S+B are left on the disk of /m,
  );
  assert.match(cli.ok(['images']), /^tiny /m);
  rmSync(full);
  assert.equal(cli.ok([...RUN, 'echo', 'one']), 'one\n');
  // Taken away whole, too, from a disk that has no room for its record.
  fill(full);
  fails(cli, ['driver', 'teardown', 'btrfs'], /holds images or containers/);
  cli.ok(['rmi', 'tiny']);
  fill(`${full}-again`);
  cli.ok(['driver', 'teardown', 'btrfs']);
  nothingLeft(cli);
});

test('a store whose disk filled up while it was written says so, and the way out that it tells is one', async () => {
  using disk = makeFilesystem('ext4', { size: 100 * MIB });
  await using cli = await withStore(disk.path);
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  cli.ok(['create', '--network', 'none', '--name', 'kept', 'tiny', 'true']);
  const files = { full: `${disk.path}/full`, more: `${disk.path}/more` };
  const large = `${cli.execRoot}/large.tar`;
  writeFileSync(large, tarOf([{ name: 'large', content: Buffer.alloc(40 * MIB, 'large') }]));
  fill(files.full, 50);
  const failing = (): void => {
    fails(cli, ['import', large, 'large'], new RegExp(`${SHORT.source}|${hints(cli, FAILED).source}`));
    fill(files.more);
    // The kernel sees it when it next writes its own records.
    for (let tries = 0; findMountAt(home(cli))?.superOptions.startsWith('ro,') !== true; tries++) {
      assert.ok(tries < 50);
      spawnSync('sh', ['-c', 'echo more >"$1/more"; sync -f "$1"', 'sh', home(cli)], { stdio: 'ignore' });
    }
  };
  failing();
  fails(cli, ['import', large, 'large'], hints(cli, FAILED));
  const { status, stderr } = cli.run([...RUN, 'true']);
  assert.equal(status, 125);
  assert.match(stderr, hints(cli, FAILED));
  assert.match(
    listed(cli),
    new RegExp(
      `^btrfs +unsupported +store of 1GiB, made by driver setup; \\S+${hints(cli, FAILED).source}`,
      'm',
    ),
  );
  fails(cli, ['driver', 'teardown', 'btrfs'], hints(cli, FAILED));
  const removal = cli.run(['rm', 'kept']);
  assert.equal(removal.status, 1);
  assert.match(removal.stderr, new RegExp(hints(cli, FAILED).source));
  assert.doesNotMatch(removal.stderr, /choose another data root/);
  for (const path of Object.values(files)) rmSync(path);
  unmount(home(cli));
  assert.equal(cli.ok([...RUN, 'echo', 'one']), 'one\n');
  fill(files.full, 50);
  failing();
  cli.ok(['driver', 'teardown', '--force', 'btrfs']);
  nothingLeft(cli);
});

test('another file system in the place of a store, and what is in the folder below, is not taken for it, and stays', async () => {
  await using cli = await withStore();
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  const at = home(cli);
  unmount(at);
  using other = makeFilesystem('btrfs');
  writeFileSync(`${other.path}/mine`, '');
  mount({ source: other.path, target: at, flags: MS_BIND });
  const hidden =
    /^tsengine: another file system is mounted at \S+\/btrfs, where the store of btrfs that driver setup made is to be: umount \S+\/btrfs\n$/;
  fails(cli, ['images'], hidden);
  fails(cli, ['driver', 'teardown', 'btrfs'], hidden);
  assert.match(
    listed(cli),
    /^btrfs +unsupported .* made by driver setup; another file system is mounted at /m,
  );
  assert.ok(existsSync(`${stores(cli)}/btrfs/image`));
  unmount(at);
  writeFileSync(`${at}/notes`, 'mine');
  const inTheWay =
    /^tsengine: something else is at \S+\/btrfs, where the store .* is to be: move that away\n$/;
  fails(cli, ['images'], inTheWay);
  const { status, stderr } = cli.run(['driver', 'teardown', '--force', 'btrfs']);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /^WARNING: containers of btrfs may stay on record: something else is at /);
  assert.equal(readFileSync(`${at}/notes`, 'utf8'), 'mine');
  assert.ok(!existsSync(stores(cli)) || !existsSync(`${stores(cli)}/btrfs`));
});

test('a store without its record, or with one that is damaged, is not made anew over, and goes with --force alone', async () => {
  await using cli = await withStore();
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  const folder = `${stores(cli)}/btrfs`;
  const record = readFileSync(`${folder}/store.json`);
  rmSync(`${folder}/store.json`);
  const unrecorded =
    /\S+\/stores\/btrfs\/image is there, which driver setup made for btrfs, but the store\.json beside it, its record, is not: put it back, or give the store up with tsengine .* driver teardown --force btrfs\n/;
  fails(cli, ['driver', 'setup', '--size', '1g', 'btrfs'], unrecorded);
  fails(cli, ['driver', 'teardown', 'btrfs'], unrecorded);
  assert.match(listed(cli), new RegExp(`^btrfs +unsupported .*${unrecorded.source}`, 'm'));
  writeFileSync(`${folder}/store.json`, record);
  assert.match(cli.ok(['images']), /^tiny /m);
  cli.ok(['create', '--network', 'none', 'tiny', 'true']);
  writeFileSync(`${folder}/store.json`, '{');
  fails(
    cli,
    ['driver', 'teardown', 'btrfs'],
    /store\.json is damaged .*: mend it, or give up the store .* driver teardown --force btrfs\n$/,
  );
  cli.ok(['driver', 'teardown', '--force', 'btrfs']);
  assert.deepEqual(readdirSync(`${cli.dataRoot}/containers`), []);
  nothingLeft(cli);
});
