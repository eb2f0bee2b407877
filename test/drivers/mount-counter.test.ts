import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, test } from 'node:test';
import {
  type CountedMount,
  hasShutDown,
  isMountPoint,
  MountCounter,
} from '../../src/drivers/mount-counter.ts';
import { MNT_DETACH, mount, unmount } from '../../src/linux/mount.ts';
import { atExit, makeFilesystem, unmountBelow } from '../helpers/loop.ts';

let folder = '';
let close = (): void => {};

beforeEach(() => {
  folder = fs.mkdtempSync(`${tmpdir()}/tsengine-counter-`);
  const made = folder;
  close = atExit(() => {
    unmountBelow(made);
    fs.rmSync(made, { recursive: true });
  });
});
afterEach(() => close());

/** A tmpfs, and how often it was mounted and unmounted. */
function point(name: string): CountedMount & { mounts: number; unmounts: number } {
  const path = `${folder}/${name}`;
  return {
    path,
    mounts: 0,
    unmounts: 0,
    mount() {
      fs.mkdirSync(path, { recursive: true });
      mount({ source: 'tmpfs', target: path, type: 'tmpfs' });
      this.mounts++;
    },
    unmount() {
      unmount(path, MNT_DETACH);
      fs.rmdirSync(path);
      this.unmounts++;
    },
  };
}

/** One that cannot be made. */
function unmountable(): CountedMount {
  return {
    path: `${folder}/broken`,
    mount: () => {
      throw new Error('no');
    },
    unmount: () => assert.fail('nothing is mounted'),
  };
}

describe('a counted mount', () => {
  test('is made by the first user and taken back after the last', async () => {
    const counter = new MountCounter(`${folder}/run`);
    const one = point('one');
    for (let i = 0; i < 3; i++) await counter.acquire('one', one);
    assert.equal(one.mounts, 1);
    await counter.release('one', one);
    await new MountCounter(`${folder}/run`).release('one', one);
    assert.equal(one.unmounts, 0);
    await counter.release('one', one);
    assert.deepEqual([one.unmounts, isMountPoint(one.path)], [1, false]);
    await counter.release('one', one);
    assert.equal(one.unmounts, 1);
    assert.deepEqual(fs.readdirSync(`${folder}/run/mounts`), []);
    assert.deepEqual(fs.readdirSync(`${folder}/run/locks`), []);
  });

  test('for somebody alone counts nobody, keeps others waiting, and goes when it is let go', async () => {
    const counter = new MountCounter(`${folder}/run`);
    const one = point('one');
    const alone = await counter.alone('one', one);
    assert.deepEqual(fs.readdirSync(`${folder}/run/mounts`), []);
    assert.equal(counter.tryLock('one'), undefined);
    const other = new MountCounter(`${folder}/run`).acquire('one', one);
    await alone[Symbol.asyncDispose]();
    assert.deepEqual([one.mounts, one.unmounts], [1, 1]);
    await other;
    assert.deepEqual([one.mounts, one.unmounts], [2, 1]);
    // What somebody has mounted stays mounted.
    await (await counter.alone('one', one))[Symbol.asyncDispose]();
    assert.deepEqual([one.mounts, one.unmounts, isMountPoint(one.path)], [2, 1, true]);
    await counter.release('one', one);
    assert.equal(isMountPoint(one.path), false);
    assert.deepEqual(fs.readdirSync(`${folder}/run/locks`), []);
  });

  test('of somebody alone who was killed is nobody’s, and a void count does not count for it', async () => {
    const counter = new MountCounter(`${folder}/run`);
    const one = point('one');
    await counter.acquire('one', one);
    // As after a reboot: the mount is gone, the count is not.
    one.unmount();
    await using _alone = await counter.alone('one', one);
    assert.equal(counter.settle('one', one), 0);
    assert.equal(isMountPoint(one.path), false);
  });

  test('for somebody alone that cannot be made is not held', async () => {
    const counter = new MountCounter(`${folder}/run`);
    const broken = unmountable();
    await assert.rejects(counter.alone('broken', broken), /^Error: no$/);
    assert.deepEqual(fs.readdirSync(`${folder}/run/locks`), []);
  });

  test('that failed is not counted', async () => {
    const counter = new MountCounter(`${folder}/run`);
    const broken = unmountable();
    await assert.rejects(counter.acquire('broken', broken), /^Error: no$/);
    assert.deepEqual(fs.readdirSync(`${folder}/run/mounts`), []);
    await counter.release('broken', broken);
  });

  test('without a count is taken over by the next user', async () => {
    const counter = new MountCounter(`${folder}/run`);
    const one = point('one');
    one.mount();
    await counter.acquire('one', one);
    assert.equal(one.mounts, 1);
    await counter.release('one', one);
    assert.equal(isMountPoint(one.path), false);
  });

  test('without a count is unmounted by a release or when it is settled', async () => {
    const counter = new MountCounter(`${folder}/run`);
    for (const end of ['release', 'settle'] as const) {
      const one = point(end);
      one.mount();
      using _lock = end === 'settle' ? await counter.lock(end) : undefined;
      const result = await counter[end](end, one);
      assert.ok(result === undefined || result === 0);
      assert.equal(isMountPoint(one.path), false);
    }
  });

  test('that is gone makes its count void', async () => {
    const counter = new MountCounter(`${folder}/run`);
    const one = point('one');
    await counter.acquire('one', one);
    await counter.acquire('one', one);
    unmount(one.path);
    await counter.acquire('one', one);
    assert.equal(one.mounts, 2);
    await counter.release('one', one);
    assert.equal(isMountPoint(one.path), false);
  });

  test('is made once by many users at once', async () => {
    const counters = [1, 2, 3].map(() => new MountCounter(`${folder}/run`));
    const one = point('one');
    const all = Array.from({ length: 30 }, (_, i) => counters[i % 3]);
    await Promise.all(all.map((counter) => counter?.acquire('one', one)));
    assert.equal(one.mounts, 1);
    await Promise.all(all.map((counter) => counter?.release('one', one)));
    assert.deepEqual([one.mounts, one.unmounts, isMountPoint(one.path)], [1, 1, false]);
  });
});

describe('a mount whose filesystem has shut down', () => {
  /** A filesystem that is mounted, and can be mounted again. */
  function shutDown(): CountedMount & Disposable & { readonly events: string[] } {
    const filesystem = makeFilesystem('xfs');
    const { path } = filesystem;
    const events: string[] = [];
    execFileSync('xfs_io', ['-x', '-c', 'shutdown', path]);
    assert.throws(() => fs.lstatSync(path), /EIO/);
    return {
      path,
      events,
      mount() {
        execFileSync('mount', ['-o', 'loop', `${path}/../image`, path]);
        events.push('mounted');
      },
      unmount() {
        unmount(path, MNT_DETACH);
        events.push('unmounted');
      },
      died: () => events.push('died'),
      hasShutDown: () => hasShutDown(path),
      [Symbol.dispose]: () => filesystem[Symbol.dispose](),
    };
  }

  test('is a mount, also by a path with symbolic links', () => {
    using point = shutDown();
    fs.symlinkSync(point.path.slice(0, point.path.lastIndexOf('/')), `${folder}/link`);
    assert.deepEqual([isMountPoint(point.path), hasShutDown(point.path)], [true, true]);
    assert.deepEqual(
      [isMountPoint(`${folder}/link/mounted`), hasShutDown(`${folder}/link/mounted`)],
      [true, true],
    );
    assert.deepEqual(
      [isMountPoint(folder), hasShutDown(folder), hasShutDown(`${folder}/none`)],
      [false, false, false],
    );
    // One that only lies in it is none: what is broken is the folder.
    assert.throws(() => isMountPoint(`${point.path}/rootfs`), /input\/output error/);
  });

  test('is released as any other', async () => {
    using point = shutDown();
    const counter = new MountCounter(`${folder}/run`);
    fs.mkdirSync(`${folder}/run/mounts`, { recursive: true });
    fs.writeFileSync(`${folder}/run/mounts/one`, '..');
    await counter.release('one', point);
    assert.deepEqual(point.events, []);
    await counter.release('one', point);
    assert.deepEqual([point.events, isMountPoint(point.path)], [['unmounted'], false]);
  });

  for (const how of ['acquire', 'alone'] as const) {
    test(`is made anew for who comes next (${how})`, async () => {
      using point = shutDown();
      await new MountCounter(`${folder}/run`)[how]('one', point);
      assert.deepEqual(point.events, ['died', 'unmounted', 'mounted']);
      assert.equal(fs.readdirSync(point.path).length, 0);
    });
  }

  test('is counted on where its driver knows no better', async () => {
    using point = shutDown();
    const counter = new MountCounter(`${folder}/run`);
    const plain: CountedMount = {
      path: point.path,
      mount: () => assert.fail('mounted'),
      unmount: () => point.unmount(),
    };
    await counter.acquire('one', plain);
    await counter.release('one', plain);
    assert.deepEqual(point.events, ['unmounted']);
  });
});
