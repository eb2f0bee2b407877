/** Data roots in places that cannot serve: one line that names the place and the way out, for whoever wants to write and whoever looks. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { DRIVER_NAMES } from '../../src/drivers/registry.ts';
import { shellWord } from '../../src/linux/command.ts';
import { unmount } from '../../src/linux/mount.ts';
import { tempDir } from '../archive/tar-tools.ts';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';
import { dockerArchive, makeImage, tarOf } from '../helpers/images.ts';
import { makeFilesystem } from '../helpers/loop.ts';

const MIB = 1024 * 1024;

function refused(cli: Cli, words: readonly string[], status: number, line: RegExp): void {
  const ended = cli.run(words);
  assert.match(ended.stderr, line, words.join(' '));
  assert.equal(ended.stderr.trim().split('\n').length, 1, ended.stderr);
  assert.equal(ended.status, status, ended.stderr);
}

/** Text as it is, in a regular expression. */
const exactly = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

test('a driver that the place cannot serve is refused by every command, with the way to a store', async () => {
  using disk = makeFilesystem('ext4');
  const folder = `${disk.path}/with blanks`;
  mkdirSync(folder);
  await using cli = openCli('overlay2', folder);
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  const setup = `tsengine --data-root ${shellWord(cli.dataRoot)} --exec-root ${cli.execRoot} driver setup btrfs`;
  const btrfs = new RegExp(
    `^tsengine: btrfs keeps layers as subvolumes, and .* is on extfs: put the data root on .*; .*: ${exactly(setup)}\\n$`,
  );
  for (const words of [['run', '--rm', 'tiny', 'true'], ['ps', '-a'], ['images'], ['rmi', 'tiny']]) {
    const status = words[0] === 'run' ? 125 : 1;
    refused(cli, ['-s', 'btrfs', ...words], status, btrfs);
    refused(
      cli,
      ['-s', 'zfs', ...words],
      status,
      /^tsengine: zfs keeps layers as datasets, and .* is on extfs: /,
    );
  }
  // Those that need no place of a kind of their own have nothing in this one yet.
  for (const driver of ['vfs', 'aufs', 'overlay2'])
    assert.equal(cli.run(['-s', driver, 'ps', '-aq']).stdout, '');
  // What brings an image from another driver can be pasted.
  const missing = cli.run(['-s', 'vfs', 'run', '--rm', 'tiny', 'true']).stderr;
  const program = `tsengine --data-root ${shellWord(cli.dataRoot)} --exec-root ${cli.execRoot}`;
  assert.ok(missing.endsWith(`: ${program} -s overlay2 save tiny | ${program} -s vfs load\n`), missing);
});

test('a data root on a disk that cannot be written: a hint for who looks, a plain word for who writes', async () => {
  using disk = makeFilesystem('ext4');
  await using cli = openCli('overlay2', disk.path);
  const saved = `${disk.path}/saved.tar`;
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  cli.ok(['save', '-o', saved, 'tiny']);
  cli.ok(['run', '--name', 'done', '--network', 'none', 'tiny', 'sh', '-c', 'echo x > /new']);
  const remount = (how: string) => execFileSync('mount', ['-o', `remount,${how}`, disk.path]);
  const where = `data root ${exactly(cli.dataRoot)} is on a read-only file system`;
  remount('ro');
  try {
    const writes = new RegExp(
      `^tsengine: ${where}, and this would change it: mount it to be written, or choose another --data-root\\n$`,
    );
    refused(cli, ['run', '--rm', 'tiny', 'true'], 125, writes);
    refused(cli, ['load', '-i', saved], 1, writes);
    refused(cli, ['import', await tinyRootfs(), 'more'], 1, writes);
    refused(cli, ['rmi', 'tiny'], 1, writes);
    refused(cli, ['rm', 'done'], 1, writes);
    refused(cli, ['driver', 'setup', 'btrfs'], 1, writes);
    // What is on record can be listed as it is.
    assert.match(cli.ok(['images', '--format', '{{.Repository}}']), /^tiny$/m);
    assert.match(cli.ok(['ps', '-a', '--format', '{{.Names}}']), /^done$/m);
    assert.match(cli.ok(['diff', 'done']), /^A \/new$/m);
    assert.match(cli.ok(['--read-only-root', 'diff', 'done']), /^A \/new$/m);
  } finally {
    remount('rw');
  }
  // Who finds what a killed command left would clear it away.
  writeFileSync(`${cli.dataRoot}/tsengine/locks/container-${'0'.repeat(64)}`, '');
  remount('ro');
  try {
    const looks = new RegExp(`^WARNING: .* is not removed: ${where}: look at it with --read-only-root\\n$`);
    for (const words of [['images'], ['diff', 'done']]) {
      const { status, stderr } = cli.run(words);
      assert.equal(status, 0);
      assert.match(stderr, looks);
    }
  } finally {
    remount('rw');
  }
});

/** An archive with an image of so many MiB. */
function archiveOf(mebibytes: number, tag: string): Buffer {
  const content = Buffer.alloc(MIB, 'x');
  const files = Array.from({ length: mebibytes }, (_, index) => ({ name: `f${index}`, content }));
  return dockerArchive([{ image: makeImage([tarOf(files)]), tags: [tag] }]);
}

for (const driver of ['vfs', 'overlay2', 'aufs'])
  test(`${driver} on a full disk: what does not fit, where, and the way out`, async () => {
    using disk = makeFilesystem('ext4', { size: 64 * MIB });
    await using cli = openCli(driver, disk.path);
    const program = `tsengine --data-root ${cli.dataRoot} --exec-root ${cli.execRoot}`;
    const advice = `the file system of data root ${cli.dataRoot} is full: remove what is not needed (${program} system prune, rm, rmi), or make it larger`;
    const line = new RegExp(
      `^tsengine: [^\\n]*: no space left on device(?: \\(write\\))?: ${exactly(advice)}\\n$`,
    );
    writeFileSync(`${cli.execRoot}.tar`, archiveOf(80, 'large:1'));
    try {
      refused(cli, ['load', '-i', `${cli.execRoot}.tar`], 1, line);
    } finally {
      execFileSync('rm', [`${cli.execRoot}.tar`]);
    }
    if (driver !== 'vfs') return;
    cli.ok(['load'], { input: archiveOf(20, 'twenty:1') });
    // An init layer and the container's own: two whole copies more.
    const ended = cli.run(['run', '--rm', '--network', 'none', 'twenty:1', 'true']);
    assert.match(ended.stderr, line);
    assert.match(
      ended.stderr,
      new RegExp(`^tsengine: [a-z_]+ ${exactly(cli.dataRoot)}/vfs/dir/[0-9a-f]{64}[^:]*/f\\d+: `),
    );
    assert.equal(ended.status, 125);
  });

test("a container whose layer is lost can be removed, and is in no other one's way", async () => {
  await using cli = openCli('overlay2');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  const run = ['run', '-d', '--network', 'none', 'tiny', 'sleep', '1000'];
  const [lost = '', other = ''] = [cli.ok(run).trim(), cli.ok(run).trim()];
  const record = `${cli.dataRoot}/image/overlay2/layerdb/mounts/${lost}`;
  const layer = readFileSync(`${record}/mount-id`, 'utf8');
  rmSync(record, { recursive: true });
  assert.equal(cli.ok(['rm', '-f', lost]), `${lost}\n`);
  assert.equal(cli.ok(['ps', '-q', '--no-trunc']), `${other}\n`);
  assert.equal(cli.ok(['rm', '-f', other]), `${other}\n`);
  assert.equal(cli.ok(['ps', '-aq']), '');
  assert.deepEqual(readdirSync(`${cli.dataRoot}/containers`), []);
  // Nobody knows any more whose it was.
  unmount(`${cli.dataRoot}/overlay2/${layer}/merged`);
});

test('a colon in the path of the data root: aufs refuses it at once, the others work', async () => {
  using disk = makeFilesystem('ext4');
  const folder = `${disk.path}/a:b,c d`;
  mkdirSync(folder);
  const rootfs = await tinyRootfs();
  for (const driver of ['overlay2', 'vfs']) {
    await using cli = openCli(driver, folder);
    cli.ok(['import', rootfs, 'tiny']);
    assert.equal(cli.ok(['run', '--rm', '--network', 'none', 'tiny', 'echo', 'works']), 'works\n');
  }
  await using cli = openCli('aufs', folder);
  const line =
    /^tsengine: aufs: .* parts paths at .*:.*, of which .*\/aufs has one: choose another data root\n$/;
  for (const words of [['images'], ['import', rootfs, 'tiny']]) refused(cli, words, 1, line);
});

test('a data root below what is no folder is refused by the name of that', () => {
  const command = new URL('../../bin/tsengine', import.meta.url).pathname;
  for (const words of [['ps'], ['info'], ['-s', 'overlay2', 'run', 'x']]) {
    const ended = spawnSync(command, ['--data-root', '/dev/null/x/y', ...words], { encoding: 'utf8' });
    assert.equal(
      ended.stderr,
      'tsengine: data root /dev/null/x/y cannot be: /dev/null is not a directory: name another --data-root\n',
    );
    assert.equal(ended.status, words.includes('run') ? 125 : 1);
  }
});

test('help names the drivers there are', () => {
  const command = new URL('../../bin/tsengine', import.meta.url).pathname;
  const { stdout } = spawnSync(command, ['--help'], { encoding: 'utf8' });
  const [, line = ''] = /--storage-driver string([\s\S]*?)\n +--/.exec(stdout) ?? [];
  for (const name of DRIVER_NAMES) assert.ok(line.includes(name), stdout);
});
test("a container's log is in its folder, and nothing beside the data root, where that has colons and blanks in its path", async () => {
  using folder = tempDir();
  mkdirSync(`${folder.path}/a: b`);
  await using cli = openCli('overlay2', `${folder.path}/a: b`);
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  cli.ok(['run', '--name', 'said', '--network', 'none', 'tiny', 'echo', 'word']);
  assert.equal(cli.ok(['logs', 'said']), 'word\n');
  cli.ok(['start', '-a', 'said']);
  assert.equal(cli.ok(['logs', 'said']), 'word\nword\n');
  assert.deepEqual(readdirSync(folder.path), ['a: b']);
});
