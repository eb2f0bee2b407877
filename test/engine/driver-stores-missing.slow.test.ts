/** What is said of a store of `driver setup` that is not there or not attached: by way of btrfs, which this kernel has. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { devicemapperStore } from '../../src/drivers/devicemapper/store.ts';
import { MadeStore } from '../../src/drivers/made-store.ts';
import { driverFactory } from '../../src/drivers/registry.ts';
import { noStore } from '../../src/drivers/remove-store.ts';
import { unmount } from '../../src/linux/mount.ts';
import { findMountAt } from '../../src/linux/mountinfo.ts';
import { tinyRootfs } from '../helpers/base-image.ts';
import { openCli } from '../helpers/cli.ts';
import { fails, hints, home, stores, withStore } from '../helpers/made-stores.ts';

test('with --read-only-root a store that is not attached is said to be none, and how it gets attached', async () => {
  await using cli = await withStore();
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  cli.ok(['create', '--name', 'made', '--network', 'none', 'tiny', 'true']);
  unmount(home(cli));
  const words = hints(
    cli,
    /^tsengine: the store of btrfs that driver setup made is not attached at \/\S+\/btrfs, as after a boot: attach it with "PROGRAM -s btrfs images"\n$/,
  );
  for (const command of [['diff'], ['export']]) fails(cli, ['--read-only-root', ...command, 'made'], words);
  assert.match(cli.run(['driver', 'check', 'btrfs']).stderr, words);
  assert.equal(findMountAt(home(cli)), undefined);
  cli.ok(['images']);
  assert.equal(cli.ok(['--read-only-root', 'diff', 'made']), '');
  const record = `${stores(cli)}/btrfs/store.json`;
  const ready = readFileSync(record, 'utf8');
  writeFileSync(record, ready.replace('ready', 'going'));
  fails(cli, ['--read-only-root', 'diff', 'made'], /is being taken away, or that was broken off: run /);
  writeFileSync(record, ready);
});

test('driver check names the way to a store, as driver ls does', async () => {
  await using cli = openCli('btrfs');
  const { status, stderr } = cli.run(['driver', 'check', 'btrfs']);
  assert.equal(status, 125);
  assert.match(
    stderr,
    hints(
      cli,
      /^tsengine: btrfs keeps layers .*: put the data root on a btrfs file system; or have a store for it on a file: PROGRAM driver setup btrfs\n$/,
    ),
  );
  assert.deepEqual(readdirSync(cli.dataRoot), []);
});

test('teardown of what a driver keeps by itself says what that is, and how it goes', async () => {
  await using cli = openCli('overlay2');
  const folder = {
    path: stores(cli),
    homeOf: (name: string) => `${cli.dataRoot}/${name}`,
    runHomeOf: (name: string) => `${cli.execRoot}/${name}`,
    program: 'tsengine',
  };
  const factory = await driverFactory('devicemapper');
  const home = folder.homeOf('devicemapper');
  const told = (command: string | undefined): string =>
    noStore(new MadeStore(folder, factory, { ...devicemapperStore, commandToTakeDown: () => command }))
      .message;
  const none = 'devicemapper has no store that driver setup made:';
  assert.equal(told(undefined), `${none} there is nothing to take away`);
  const left = `dmsetup remove pool && rm -r ${home}`;
  assert.equal(
    told('dmsetup remove pool'),
    `${none} what it keeps in ${home} it made itself: remove what is left there (${left})`,
  );
  mkdirSync(`${home}/metadata`, { recursive: true });
  writeFileSync(`${home}/metadata/${'a'.repeat(64)}`, '{}');
  assert.equal(
    told('dmsetup remove pool'),
    `${none} what it keeps in ${home} it made itself: remove its containers and images (tsengine -s devicemapper rm, tsengine -s devicemapper rmi), then what is left (${left})`,
  );
});
