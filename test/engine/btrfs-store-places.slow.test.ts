/** A store of `driver setup btrfs` that is come by in several ways: one file is one filesystem, however often that is mounted. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync, symlinkSync } from 'node:fs';
import { test } from 'node:test';
import { MS_BIND, mount, unmount } from '../../src/linux/mount.ts';
import { readMountInfo } from '../../src/linux/mountinfo.ts';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';
import { fails, home, nothingLeft, stores, withStore } from '../helpers/made-stores.ts';

const tags = (cli: Cli): string[] =>
  cli.ok(['images', '--format', '{{.Repository}}']).trim().split('\n').sort();

test('a data root that is mounted at two places has one store', async () => {
  await using cli = await withStore();
  const other = `${cli.dataRoot}-other`;
  mkdirSync(other);
  mount({ source: cli.dataRoot, target: other, flags: MS_BIND });
  try {
    const there = (words: readonly string[]): string =>
      execFileSync(
        'bin/tsengine',
        ['-s', 'btrfs', '--data-root', other, '--exec-root', cli.execRoot, ...words],
        {
          encoding: 'utf8',
        },
      );
    for (const name of ['one', 'two', 'three']) {
      cli.ok(['import', await tinyRootfs(), `here-${name}`]);
      there(['import', await tinyRootfs(), `there-${name}`]);
    }
    const expected = ['here', 'there'].flatMap((where) =>
      ['one', 'three', 'two'].map((name) => `${where}-${name}`),
    );
    assert.deepEqual(tags(cli), expected);
    unmount(`${other}/btrfs`);
    unmount(home(cli));
    execFileSync('btrfs', ['check', `${stores(cli)}/btrfs/image`], { stdio: 'pipe' });
    assert.deepEqual(tags(cli), expected);
    assert.match(there(['images']), /there-two/);
    // It is not taken away below the other place.
    fails(cli, ['driver', 'teardown', '--force', 'btrfs'], /btrfs is in use: stop what works in it/);
    unmount(`${other}/btrfs`);
    cli.ok(['driver', 'teardown', '--force', 'btrfs']);
    nothingLeft(cli);
  } finally {
    for (const { mountPoint } of readMountInfo().toReversed())
      if (`${mountPoint}/`.startsWith(`${other}/`)) unmount(mountPoint);
    rmdirSync(other);
  }
});

test('a store that is attached in another mount namespace is attached here as well', async () => {
  await using cli = openCli('btrfs');
  const script = '"$@" driver setup --size 1g btrfs >/dev/null && echo there && read -r end';
  const elsewhere = spawn('unshare', ['-m', 'sh', '-c', script, 'sh', ...cli.command], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    await once(elsewhere.stdout, 'data');
    cli.ok(['import', await tinyRootfs(), 'here']);
    assert.deepEqual(tags(cli), ['here']);
    fails(
      cli,
      ['driver', 'teardown', '--force', 'btrfs'],
      /btrfs is in use: stop what works in it \(process \d+ \(sh /,
    );
  } finally {
    elsewhere.stdin.end();
    elsewhere.kill('SIGKILL');
    await once(elsewhere, 'close');
  }
  cli.ok(['driver', 'teardown', '--force', 'btrfs']);
  nothingLeft(cli);
});

test("a store below a driver's folder that is a symbolic link is mounted once, and goes", async () => {
  await using cli = openCli('btrfs');
  mkdirSync(`${cli.dataRoot}/elsewhere`);
  symlinkSync('elsewhere', home(cli));
  cli.ok(['driver', 'setup', '--size', '1g', 'btrfs']);
  for (const name of ['one', 'two']) cli.ok(['import', await tinyRootfs(), name]);
  assert.deepEqual(tags(cli), ['one', 'two']);
  assert.equal(cli.mounts().filter((path) => path.endsWith('/elsewhere')).length, 1);
  cli.ok(['driver', 'teardown', '--force', 'btrfs']);
  assert.deepEqual(cli.mounts(), []);
});
