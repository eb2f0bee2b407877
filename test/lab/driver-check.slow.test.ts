/** `tsengine driver ls` and `driver check`, as people use them. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CHECKS } from '../../src/drivers/conformance/index.ts';
import { lackingAbilities } from '../../src/lab/matrix/lacking.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { mountsBelow } from '../helpers/recount.ts';
import { makeSubject } from '../helpers/stores.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));

function tsengine(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(launcher, args, { encoding: 'utf8', env: { ...process.env, ...env } });
}

test('driver ls has the six, with what the filesystem of the data root offers them', () => {
  using ext4 = makeFilesystem('ext4');
  using btrfs = makeFilesystem('btrfs');
  const states = (dataRoot: string) => {
    const args = ['--data-root', `${dataRoot}/root`, 'driver', 'ls', '--format', '{{.Name}}: {{.State}}'];
    return tsengine(args).stdout.trimEnd().split('\n');
  };
  const others = (aufs: string) => [
    'zfs: unsupported',
    'vfs: supported',
    `aufs: ${aufs}`,
    'devicemapper: unsupported',
  ];
  assert.deepEqual(states(ext4.path), ['overlay2: supported', 'btrfs: unsupported', ...others('supported')]);
  assert.deepEqual(states(btrfs.path), ['overlay2: supported', 'btrfs: supported', ...others('unsupported')]);
  const { stdout } = tsengine(['--data-root', ext4.path, 'driver', 'ls']);
  assert.match(stdout, /^DRIVER +STATE +NOTES\n/);
  assert.match(
    stdout,
    /^aufs +supported +fuse-overlayfs \(FUSE\) in AUFS's format: this kernel has no AUFS/m,
  );
  assert.match(stdout, /^btrfs +unsupported +btrfs keeps layers as subvolumes, and .* is on extfs/m);
  assert.deepEqual(readdirSync(btrfs.path), []);
});

test('driver ls says what somebody who is not root cannot know', () => {
  const folder = mkdtempSync(join(tmpdir(), 'driver-ls-'));
  const { status, stdout } = spawnSync(launcher, ['--data-root', join(folder, 'data'), 'driver', 'ls'], {
    encoding: 'utf8',
    uid: 65534,
    gid: 65534,
  });
  rmSync(folder, { recursive: true });
  assert.equal(status, 0);
  assert.match(stdout, /^overlay2 +unknown +.*permission denied: ask as root$/m);
});

test('driver check tells of each check, and leaves nothing', () => {
  using filesystem = makeFilesystem('btrfs');
  const { status, stdout, stderr } = tsengine([
    'driver',
    'check',
    'btrfs',
    '--data-root',
    filesystem.path,
    '--json',
  ]);
  assert.deepEqual([status, stderr], [0, '']);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ check }) => check),
    CHECKS.filter(({ slow }) => slow !== true).map(({ name }) => name),
  );
  assert.ok(
    lines.every(({ state }) => state === 'ok' || state === 'excused'),
    stdout,
  );
  assert.ok(lines.filter(({ state }) => state === 'ok').length > 50);
  assert.deepEqual(readdirSync(filesystem.path), []);
});

test('driver check ends with 1 when a promise is not kept, and with 125 when it cannot begin', () => {
  using filesystem = makeFilesystem('tmpfs');
  const place = ['--data-root', filesystem.path];
  // Nothing can be renamed into its place from the fourth time on.
  const broken = tsengine(['driver', 'check', 'vfs', ...place], { TSENGINE_FAULT: 'renameat2:4+:EIO' });
  assert.equal(broken.status, 1, broken.stderr);
  assert.match(broken.stdout, /^FAILED {2}two containers .*: renameat2 .*input\/output error/m);
  assert.match(broken.stdout, /\n\d+ passed, \d+ failed, \d+ excused\n$/);
  const refused = tsengine(['driver', 'check', 'btrfs', ...place]);
  assert.equal(refused.status, 125);
  assert.match(
    refused.stderr,
    /^tsengine: btrfs keeps layers as subvolumes, and [^ ]* is on tmpfs: put the data root/,
  );
  assert.match(tsengine(['driver', 'check', 'extfs']).stderr, /unknown storage driver "extfs"/);
  const none = tsengine(['driver', 'check', 'vfs', '--only', 'nosuch', ...place]);
  assert.deepEqual(
    [none.status, none.stderr],
    [125, 'tsengine: no check has a name that /nosuch/ matches\n'],
  );
  const file = tsengine(['driver', 'check', 'vfs', '--data-root', '/etc/passwd']);
  assert.equal(file.status, 125);
  assert.equal(file.stderr, 'tsengine: data root /etc/passwd is not a directory: name another\n');
  assert.deepEqual(readdirSync(filesystem.path), []);
});

test('driver check of a folder that is not there says where it checks', () => {
  using filesystem = makeFilesystem('ext4');
  const place = `${filesystem.path}/not/there`;
  for (const args of [
    ['driver', 'check', 'vfs', '--data-root', place],
    ['--data-root', place, 'driver', 'check', 'vfs'],
  ]) {
    const { status, stdout, stderr } = tsengine([...args, '--only', 'named as Docker names']);
    assert.deepEqual(
      [status, stderr],
      [0, `${place} is not there: checking in ${filesystem.path}, on whose file system it would be\n`],
    );
    assert.match(stdout, /^1 passed, 0 failed, 0 excused$/m);
  }
  assert.deepEqual(readdirSync(filesystem.path), []);
});

test('driver check that is interrupted leaves nothing, and does not run where a root is only looked at', async () => {
  using filesystem = makeFilesystem('ext4');
  const place = ['--data-root', filesystem.path];
  const child = spawn(launcher, ['driver', 'check', 'overlay2', ...place], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data) => {
    said += data;
  });
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  const [code] = await once(child, 'close');
  assert.deepEqual([code, said], [130, 'tsengine: got SIGINT: what was made for the checks is removed\n']);
  assert.deepEqual(readdirSync(filesystem.path), []);
  assert.deepEqual(mountsBelow(`${filesystem.path}/`), []);
  const looking = tsengine(['--read-only-root', ...place, 'driver', 'check', 'vfs']);
  assert.match(
    looking.stderr,
    /'tsengine driver check' changes the data root, which --read-only-root forbids/,
  );
});

test('on a filesystem without extended attributes the checks do without those alone', async () => {
  using disk = makeFilesystem('ext4');
  const [from, to] = [`${disk.path}/from`, `${disk.path}/to`];
  for (const path of [from, to]) mkdirSync(path);
  execFileSync('bindfs', ['--xattr-none', '-o', 'use_ino,attr_timeout=0,entry_timeout=0', from, to]);
  try {
    const lacking = lackingAbilities(to);
    const without = lacking.flatMap(({ attributes }) => attributes ?? []);
    assert.deepEqual(without, ['security.', 'trusted.', 'user.']);
    mkdirSync(`${to}/store`);
    await using subject = await makeSubject('vfs', `${to}/store`);
    const checks = CHECKS.filter(({ name }) =>
      /every attribute|extended attributes of files|^15 random/.test(name),
    );
    assert.equal(checks.length, 3);
    for (const check of checks) {
      await assert.rejects(check.run(subject), /lsetxattr .*: operation not supported/, check.name);
      await check.run({ ...subject, without });
    }
  } finally {
    execFileSync('umount', ['-l', to]);
  }
});
