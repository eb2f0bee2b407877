import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));

/** Commands that find nothing where there is nothing: exit code, and what they say. */
const COMMANDS: readonly (readonly [words: readonly string[], status: number, stderr: RegExp])[] = [
  [['rmi', 'x'], 1, /^tsengine: No such image: x\n$/],
  [['inspect', 'x'], 1, /^tsengine: No such object: x\n$/],
  [['run', '--rm', 'nosuchimage', 'true'], 125, /Unable to find image 'nosuchimage:latest' locally/],
  [['create', 'nosuchimage'], 1, /nosuchimage/],
  [['start', 'x'], 1, /^tsengine: No such container: x\n/],
  [['rm', '-f', 'x'], 0, /^tsengine: No such container: x\n$/],
  [['tag', 'x', 'y'], 1, /^tsengine: No such image: x:latest\n$/],
  [['save', 'x'], 1, /^tsengine: No such image: x\n$/],
  [['load', '-i', '/nosuch-file'], 1, /^tsengine: open \/nosuch-file: no such file or directory\n$/],
  [['ps', '-a'], 0, /^$/],
  [['images'], 0, /^$/],
];

describe('where there is no data root', () => {
  let above: string;
  before(() => {
    above = mkdtempSync(`${tmpdir()}/ts-none-`);
  });
  after(() => rmSync(above, { recursive: true, force: true }));

  for (const [words, status, stderr] of COMMANDS) {
    test(`${words.join(' ')} leaves none behind`, () => {
      const execRoot = `${above}/exec`;
      const roots = ['--data-root', `${above}/deep/data`, '--exec-root', execRoot];
      const ended = spawnSync(launcher, [...roots, ...words], { encoding: 'utf8', input: '' });
      assert.match(ended.stderr, stderr);
      assert.equal(ended.status, status);
      assert.deepEqual(readdirSync(above), []);
    });
  }

  for (const words of [
    ['ps', '-a'],
    ['rmi', 'x'],
  ])
    test(`${words.join(' ')} leaves a folder as it is that somebody named by mistake`, () => {
      const named = mkdtempSync(`${above}/named-`);
      writeFileSync(`${named}/note`, 'mine');
      spawnSync(launcher, ['--data-root', named, '--exec-root', `${above}/exec`, ...words]);
      assert.deepEqual(readdirSync(named), ['note']);
      rmSync(named, { recursive: true });
      assert.deepEqual(readdirSync(above), []);
    });

  test('a root without a name is refused', () => {
    for (const flag of ['--data-root', '--exec-root']) {
      const ended = spawnSync(launcher, [flag, '', 'ps'], { encoding: 'utf8', cwd: above });
      assert.equal(ended.stderr, `${flag} is empty: name a folder.\nSee 'tsengine --help'.\n`);
      assert.equal(ended.status, 125);
    }
    assert.deepEqual(readdirSync(above), []);
  });

  // A folder that no driver but overlay2 and vfs can serve: /tmp is on neither btrfs nor ZFS on a machine of these tests.
  for (const words of [
    ['images'],
    ['info'],
    ['run', '--rm', 'nosuchimage', 'true'],
    ['load', '-i', '/dev/null'],
  ])
    test(`${words.join(' ')} says at once what the driver lacks, and leaves none behind`, (t) => {
      const kind = spawnSync('stat', ['-fc', '%T', above], { encoding: 'utf8' }).stdout.trim();
      if (kind === 'btrfs') return t.skip(`${above} is on btrfs`);
      const roots = ['--data-root', `${above}/deep/data`, '--exec-root', `${above}/exec`, '-s', 'btrfs'];
      const ended = spawnSync(launcher, [...roots, ...words], { encoding: 'utf8', input: '' });
      assert.match(
        ended.stderr,
        /^tsengine: btrfs keeps layers as subvolumes, and .* is on .*: put the data root on .*\n$/,
      );
      assert.equal(ended.status, words[0] === 'run' ? 125 : 1);
      assert.deepEqual(readdirSync(above), []);
    });

  test('a root that cannot be is told as without a driver', () => {
    symlinkSync('nowhere', `${above}/dangling`);
    symlinkSync('loop', `${above}/loop`);
    for (const path of ['/etc/passwd', '/etc/passwd/x', `${above}/dangling`, `${above}/loop`]) {
      const said = [[], ['-s', 'overlay2']].map((driver) => {
        const roots = ['--data-root', path, '--exec-root', `${above}/exec`];
        const { status, stderr } = spawnSync(launcher, [...roots, ...driver, 'info'], { encoding: 'utf8' });
        return { status, stderr };
      });
      assert.equal(said[0]?.status, 1, path);
      assert.deepEqual(said[0], said[1]);
    }
    for (const name of ['dangling', 'loop']) rmSync(`${above}/${name}`);
    assert.deepEqual(readdirSync(above), []);
    const relative = spawnSync(launcher, ['--data-root', 'r', '-s', 'btrfs', 'images'], {
      encoding: 'utf8',
      cwd: above,
    });
    assert.ok(relative.stderr.includes(`, and ${above} is on `), relative.stderr);
  });

  test("an option that is none of the driver's is refused, and leaves none behind", () => {
    for (const driver of ['overlay2', 'vfs', 'aufs', 'btrfs', 'zfs', 'devicemapper']) {
      const roots = ['--data-root', `${above}/deep/data`, '--exec-root', `${above}/exec`, '-s', driver];
      const ended = spawnSync(launcher, [...roots, '--storage-opt', 'nosuch.key=1', 'ps'], {
        encoding: 'utf8',
      });
      assert.match(ended.stderr, /^tsengine: .*nosuch\.key.*\n$/);
      // As for a flag that is none.
      assert.equal(ended.status, 125);
      assert.deepEqual(readdirSync(above), []);
    }
  });

  test('folders of drivers without an image are no choice to be made of one that is only looked at', () => {
    const roots = ['--data-root', `${above}/two`, '--exec-root', `${above}/exec`];
    for (const driver of ['vfs', 'overlay2'])
      assert.equal(spawnSync(launcher, [...roots, '-s', driver, 'info']).status, 0);
    const ended = spawnSync(launcher, ['--read-only-root', ...roots, 'images', '-q'], { encoding: 'utf8' });
    assert.deepEqual([ended.status, ended.stdout, ended.stderr], [0, '', '']);
    for (const folder of ['two', 'exec']) rmSync(`${above}/${folder}`, { recursive: true });
  });

  test('info makes one', () => {
    const roots = ['--data-root', `${above}/data`, '--exec-root', `${above}/exec`];
    const ended = spawnSync(launcher, [...roots, 'info'], { encoding: 'utf8' });
    assert.equal(ended.status, 0, ended.stderr);
    assert.ok(existsSync(`${above}/data/tsengine/version.json`));
  });
});
