/** `driver setup` and `driver teardown`, by way of btrfs, which this kernel has. Those of other drivers are tried in the lab. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DRIVER_NAMES, driverFactory } from '../../src/drivers/registry.ts';
import { unmount } from '../../src/linux/mount.ts';
import { findMountAt } from '../../src/linux/mountinfo.ts';
import { tinyRootfs } from '../helpers/base-image.ts';
import { openCli } from '../helpers/cli.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import {
  fails,
  hints,
  home,
  listed,
  nothingLeft,
  rootsOf,
  stores,
  withStore,
  wordsOf,
} from '../helpers/made-stores.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));
const RUN = ['run', '--rm', '--network', 'none', 'tiny'];

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
    hints(
      cli,
      /has a store already, made by driver setup, at .*\/btrfs: use that one, or give it up with PROGRAM driver teardown --force btrfs\n$/,
    ),
  );
  fails(
    cli,
    ['driver', 'teardown', 'btrfs'],
    hints(cli, /holds images or containers.*with PROGRAM driver teardown --force btrfs\n$/),
  );
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
  fails(cli, setUp('255m'), /^tsengine: size 255MiB is too small for a store: at least 256m\n$/);
  fails(cli, setUp('20P'), /^tsengine: size 20PiB is too large for a store: no file can have it\n$/);
  // More than ext4's and XFS's largest files.
  fails(cli, setUp('7.9P'), /^tsengine: size 7\.9PiB is too large for a store|no space/);
  nothingLeft(cli);
});

test('a store that is larger than what its disk has left is made with a warning', async () => {
  using disk = makeFilesystem('ext4');
  await using cli = openCli('btrfs', disk.path);
  const setUp = (size: string): string => {
    const { status, stderr } = cli.run(['driver', 'setup', '--size', size, 'btrfs']);
    assert.equal(status, 0, stderr);
    cli.ok(['driver', 'teardown', 'btrfs']);
    return stderr;
  };
  assert.equal(setUp('300m'), '');
  assert.match(setUp('1T'), /^WARNING: the disk of the data root has [\d.]+MiB left, .*: keep room there\n$/);
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
    ['-s vfs save tiny:2', '-s btrfs load']
      .map((rest) => `tsengine ${rootsOf(cli).join(' ')} ${rest}`)
      .join(' | '),
  );
  const script = command?.replaceAll('tsengine --data-root', '"$0" --data-root') ?? '';
  const ended = spawnSync('sh', ['-c', script, launcher], { encoding: 'utf8' });
  assert.equal(ended.status, 0, ended.stderr);
  assert.equal(cli.ok(run), 'brought\n');
});

test('a store in use stays', async () => {
  await using cli = await withStore();
  const before = process.cwd();
  process.chdir(home(cli));
  try {
    fails(
      cli,
      ['driver', 'teardown', 'btrfs'],
      hints(
        cli,
        new RegExp(
          `/btrfs is in use: stop what works in it \\(process .*\\b${process.pid} \\([^)]*node.*\\), containers first, then go on with PROGRAM driver teardown btrfs\\n$`,
        ),
      ),
    );
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
  fails(
    cli,
    ['images'],
    hints(cli, /the store of btrfs is being taken away.*run "PROGRAM driver teardown btrfs"\n$/),
  );
  assert.equal(findMountAt(home(cli)), undefined);
  assert.match(
    listed(cli),
    /^btrfs +unsupported +store of 512MiB, made by driver setup; the store of btrfs is being taken away/m,
  );
  fails(cli, ['driver', 'setup', 'btrfs'], hints(cli, /remove it with PROGRAM driver teardown btrfs\n$/));
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
  // It says why, and not to do what is being done.
  assert.match(
    stderr,
    /^WARNING: containers of btrfs may stay on record: \S+\/image, which driver setup made for btrfs, is gone\n$/,
  );
  nothingLeft(cli);
});

test('driver ls shows the size of a store, and whether it can be used', async () => {
  await using cli = openCli('btrfs');
  const words = hints(
    cli,
    /^btrfs +unsupported +btrfs keeps layers .*: put the data root on a btrfs file system; or have a store for it on a file: PROGRAM driver setup btrfs$/m,
  );
  assert.match(listed(cli), words);
  cli.ok(['driver', 'setup', '--size', '1g', 'btrfs']);
  assert.match(listed(cli), /^btrfs +supported +store of 1GiB, made by driver setup$/m);
  const image = `${stores(cli)}/btrfs/image`;
  renameSync(image, `${image}.away`);
  assert.match(
    listed(cli),
    /^btrfs +supported +store of 1GiB, .*; \S+\/image, which .* is gone, and with the next boot all that is in it: save that$/m,
  );
  unmount(home(cli));
  assert.match(
    listed(cli),
    hints(
      cli,
      /^btrfs +unsupported +store of 1GiB, .*; \S+\/image, .* is gone: bring it back, or give it up with PROGRAM driver teardown --force btrfs$/m,
    ),
  );
  renameSync(`${image}.away`, image);
  assert.match(
    listed(cli),
    /^btrfs +supported +store of 1GiB, made by driver setup; the next command that uses it attaches it$/m,
  );
  // Looking attached nothing.
  assert.equal(findMountAt(home(cli)), undefined);
  cli.ok(['driver', 'teardown', 'btrfs']);
  assert.match(listed(cli), words);
});

test('where something is in the way of a store, it says how to take that away, in words that a shell reads', async () => {
  const parent = mkdtempSync(`${tmpdir()}/with a 'blank-`);
  try {
    await using cli = openCli('btrfs', parent);
    mkdirSync(`${home(cli)}/subvolumes/${'a'.repeat(64)}`, { recursive: true });
    const { stderr } = cli.run(['driver', 'setup', '--size', '1g', 'btrfs']);
    const [, program = '', remove = ''] =
      /is in use by btrfs: remove its containers and images \((.*) -s btrfs rm, .* rmi\), then what is left \((.*)\); or choose another --data-root\n$/.exec(
        stderr,
      ) ?? [];
    assert.deepEqual(wordsOf(program), ['tsengine', ...rootsOf(cli)], stderr);
    assert.deepEqual(wordsOf(remove), ['rm', '-r', home(cli)]);
    execFileSync('sh', ['-c', remove]);
    mkdirSync(`${home(cli)}/other`, { recursive: true });
    fails(
      cli,
      ['driver', 'setup', 'btrfs'],
      /is in use by btrfs: remove what is left there \(rm -r .*\); or/,
    );
    execFileSync('sh', ['-c', remove]);
    const made = cli.ok(['driver', 'setup', '--size', '1g', 'btrfs']);
    const [, use = ''] = /: use it with "(.*) run …"\n$/.exec(made) ?? [];
    assert.deepEqual(wordsOf(use), ['tsengine', ...rootsOf(cli), '--storage-driver', 'btrfs']);
    cli.ok(['driver', 'teardown', 'btrfs']);
  } finally {
    rmSync(parent, { recursive: true });
  }
});

test('the commands of driver take the data root before and behind their name', async () => {
  await using cli = openCli('btrfs');
  const at = cli.command.indexOf('--data-root');
  const [program = '', ...others] = cli.command.toSpliced(at, 2);
  const run = (...words: string[]) =>
    spawnSync(program, [...others, 'driver', ...words], { encoding: 'utf8' });
  const behind = ['--data-root', cli.dataRoot];
  const made = run('setup', 'btrfs', '--size', '1g', ...behind);
  assert.equal(made.status, 0, made.stderr);
  assert.equal(findMountAt(home(cli))?.type, 'btrfs');
  assert.equal(run('ls', ...behind).stdout, listed(cli));
  const none = run('ls', '--data-root', '');
  assert.deepEqual(
    [none.status, none.stderr],
    [125, "--data-root is empty: name a folder.\nSee 'tsengine driver ls --help'.\n"],
  );
  assert.equal(run('teardown', 'btrfs', ...behind).status, 0);
  nothingLeft(cli);
});

test('help of setup and teardown names the drivers that have stores', async () => {
  await using cli = openCli('btrfs');
  const factories = await Promise.all(DRIVER_NAMES.map((name) => driverFactory(name)));
  for (const word of ['setup', 'teardown']) {
    const [, text = ''] = /\nDRIVER is (.*)[;]/.exec(cli.ok(['driver', word, '--help'])) ?? [];
    const named = factories.filter(({ name }) => text.includes(name)).map(({ name }) => name);
    assert.deepEqual(
      named,
      factories.filter(({ stores: made }) => made !== undefined).map(({ name }) => name),
    );
  }
});

test('a store that cannot be attached is in nobody else’s way, and can be taken away', async () => {
  await using cli = await withStore();
  const damaged =
    /^tsengine: \S*\/stores\/btrfs\/image, which driver setup made for btrfs, cannot be mounted, because it is damaged \(mount .*\): .* with tsengine .* driver teardown --force btrfs\n$/;
  unmount(home(cli));
  const image = `${stores(cli)}/btrfs/image`;
  writeFileSync(image, Buffer.alloc(1024 * 1024, 'no file system'));
  const short =
    /\S*\/stores\/btrfs\/image, which driver setup made for btrfs, has only 1048576 of its 1073741824 bytes: put it back from a backup, or give it up with tsengine .* driver teardown --force btrfs\n/;
  fails(cli, ['images'], short);
  assert.match(listed(cli), new RegExp(`^btrfs +unsupported .*${short.source}`, 'm'));
  truncateSync(image, 1 << 30);
  fails(cli, ['images'], damaged);
  const others = cli.command.map((word) => (word === 'btrfs' ? 'overlay2' : word));
  const [program = '', ...words] = others;
  const overlay2 = spawnSync(program, [...words, 'images', '-q'], { encoding: 'utf8' });
  assert.deepEqual([overlay2.status, overlay2.stderr], [0, '']);
  spawnSync(program, [...words, 'import', await tinyRootfs(), 'tiny']);
  const unnamed = words.filter((word) => word !== 'overlay2' && word !== '--storage-driver');
  const all = spawnSync(program, [...unnamed, 'images'], { encoding: 'utf8' });
  assert.equal(all.status, 1);
  assert.match(
    all.stderr,
    new RegExp(damaged.source.replace('\\n$', '; or choose what else is there \\(-s overlay2\\)\\n$')),
  );
  fails(cli, ['driver', 'teardown', 'btrfs'], damaged);
  const { status, stderr } = cli.run(['driver', 'teardown', '--force', 'btrfs']);
  assert.equal(status, 0, stderr);
  assert.match(
    stderr,
    /^WARNING: containers of btrfs may stay on record: \S+\/image, .* because it is damaged \(mount .*\)\n$/,
  );
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

test('storage options that would not be carried out are refused, and leave nothing', async () => {
  await using cli = openCli('btrfs');
  fails(
    cli,
    ['--storage-opt', 'btrfs.min_space=1G', 'driver', 'setup', '--size', '1g', 'btrfs'],
    /^tsengine: driver setup takes no storage options for btrfs: give them to the commands that use the store\n$/,
  );
  assert.equal(existsSync(stores(cli)), false);
});

test('what cannot be had is refused, and leaves nothing', async () => {
  await using cli = openCli('overlay2');
  fails(cli, ['driver', 'setup', '--size', '3m', 'btrfs'], /too small/);
  const big = cli.run(['driver', 'setup', '--size', 'big', 'btrfs']);
  assert.equal(big.status, 125);
  assert.match(big.stderr, /^invalid argument "big" for "--size" flag: invalid size: 'big'\nSee .*\n$/);
  fails(cli, ['driver', 'setup', 'vfs'], /needs no store/);
  fails(cli, ['driver', 'setup', 'extfs'], /unknown storage driver/);
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  nothingLeft(cli);
  assert.equal(cli.ok([...RUN, 'echo', 'still']), 'still\n');
});

test('what cannot be had makes no data root, and nothing of ours in a folder that is there', async () => {
  await using cli = openCli('overlay2');
  const folders = () => [cli.dataRoot, cli.execRoot].map((path) => readdirSync(path));
  const refused: readonly (readonly [string[], RegExp])[] = [
    [['setup', 'overlay2'], /needs no store/],
    [['setup', 'btrfs', '--size', '1'], /size 1B is too small/],
    [['teardown', 'btrfs'], /has no store that driver setup made/],
    [['teardown', '--force', 'zfs'], /has no store that driver setup made/],
    [['teardown', 'vfs'], /needs no store/],
  ];
  for (const [words, said] of refused) {
    fails(cli, ['driver', ...words], said);
    fails(cli, ['driver', ...words, '--data-root', `${cli.dataRoot}/new`], said);
    assert.deepEqual(folders(), [[], []], words.join(' '));
  }
  // Where the tools of btrfs are missing.
  const hiding = 'mount --bind /dev/null "$(readlink -f "$(command -v mkfs.btrfs)")" && exec "$@"';
  const words = ['-m', 'sh', '-c', hiding, 'sh', ...cli.command, 'driver', 'setup', 'btrfs'];
  const lacking = spawnSync('unshare', words, { encoding: 'utf8' });
  assert.match(lacking.stderr, /^tsengine: btrfs: mkfs\.btrfs is missing/);
  assert.deepEqual(folders(), [[], []]);
  // What is in the way.
  mkdirSync(`${home(cli)}/other`, { recursive: true });
  fails(cli, ['driver', 'setup', 'btrfs'], /is in use by btrfs/);
  assert.deepEqual(folders(), [['btrfs'], []]);
});
