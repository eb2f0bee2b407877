import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EntryPlan, LabCache } from '../../src/lab/cache.ts';
import { mount, unmount } from '../../src/linux/mount.ts';
import { makeFilesystem } from '../helpers/loop.ts';

function temporaryCache(): { readonly path: string; open(): LabCache; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'lab-cache-'));
  return {
    path,
    open: () => new LabCache({ progress: () => undefined, signal: undefined }, path),
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  };
}

/** A cache on overlayfs over this one, as one that is part of a container image. */
function mountedOver(lower: string): { readonly path: string; open(): LabCache; [Symbol.dispose](): void } {
  const disk = makeFilesystem('tmpfs');
  const path = join(disk.path, 'merged');
  for (const name of ['upper', 'work', 'merged']) mkdirSync(join(disk.path, name));
  const data = `lowerdir=${lower},upperdir=${disk.path}/upper,workdir=${disk.path}/work,redirect_dir=off`;
  mount({ source: 'overlay', target: path, type: 'overlay', data });
  return {
    path,
    open: () => new LabCache({ progress: () => undefined, signal: undefined }, path),
    [Symbol.dispose]: () => {
      unmount(path);
      disk[Symbol.dispose]();
    },
  };
}

/** A plan whose entry holds one file, and how often it was made. */
function plan(...madeOf: string[]): EntryPlan & { made: number } {
  const counted = {
    kind: 'root' as const,
    label: 'test',
    madeOf,
    made: 0,
    make: async (folder: string) => {
      counted.made += 1;
      await sleep(20);
      writeFileSync(join(folder, 'file'), `${counted.made}`);
      return { times: `${counted.made}` };
    },
  };
  return counted;
}

const halfMade = (path: string): string[] =>
  readdirSync(path).filter((name) => /^(making|machine)-/.test(name));

describe("the lab's cache", () => {
  test('makes an entry once, and another one of other things', async () => {
    using cache = temporaryCache();
    const [one, other] = [plan('a'), plan('b')];
    using first = await cache.open().hold(one);
    using again = await cache.open().hold(one);
    using different = await cache.open().hold(other);
    assert.equal(first.name, again.name);
    assert.notEqual(first.name, different.name);
    assert.equal(one.made, 1);
    assert.equal(readFileSync(join(again.folder, 'file'), 'utf8'), '1');
    assert.deepEqual(halfMade(cache.path), []);
    assert.equal(cache.open().list().length, 2);
  });

  test('lets one of several make it, while the others wait', async () => {
    using cache = temporaryCache();
    const wanted = plan('a');
    const held = await Promise.all([1, 2, 3].map(() => cache.open().hold(wanted)));
    assert.equal(wanted.made, 1);
    for (const entry of held) entry[Symbol.dispose]();
  });

  test('makes it anew when asked to', async () => {
    using cache = temporaryCache();
    const wanted = plan('a');
    (await cache.open().hold(wanted))[Symbol.dispose]();
    using fresh = await cache.open().hold(wanted, true);
    assert.equal(fresh.record.details.times, '2');
  });

  test('keeps nothing of what could not be made', async () => {
    using cache = temporaryCache();
    const failing = { ...plan('a'), make: () => Promise.reject(new Error('no luck')) };
    await assert.rejects(cache.open().hold(failing), { message: 'no luck' });
    assert.deepEqual([halfMade(cache.path), cache.open().list()], [[], []]);
  });

  test('says in one line that its disk is full', async () => {
    using cache = temporaryCache();
    const full = { ...plan('a'), make: () => Promise.reject(new Error('write: No space left on device')) };
    await assert.rejects(
      cache.open().hold(full),
      /^TsengineError: cannot make root-test-\w+: the disk with the lab's cache, .* is full: make room/,
    );
  });

  test('that is no folder is named, with the way out', async () => {
    const context = { progress: () => undefined, signal: undefined };
    const cache = new LabCache(context, import.meta.filename);
    const message = new RegExp(
      `^cannot use the lab's cache ${import.meta.filename}: .*not a directory: set TSENGINE_LAB_CACHE to a folder of yours$`,
    );
    assert.throws(() => cache.list(), { code: 'Unavailable', message });
    await assert.rejects(cache.hold(plan('a')), { code: 'Unavailable', message });
  });

  test('passes over files beside its entries', async () => {
    using cache = temporaryCache();
    (await cache.open().hold(plan('a')))[Symbol.dispose]();
    writeFileSync(join(cache.path, 'accelerator'), 'an answer');
    assert.equal(cache.open().list().length, 1);
  });

  test('removes no entry that is in use', async () => {
    using cache = temporaryCache();
    const held = await cache.open().hold(plan('a'));
    assert.throws(() => cache.open().remove(held.name), /a machine runs from it/);
    held[Symbol.dispose]();
    cache.open().remove(held.name);
    assert.deepEqual(cache.open().list(), []);
    assert.throws(() => cache.open().remove(held.name), /has no entry/);
  });

  test('on overlayfs removes what a lower layer brings, and what is left of it does not stay in the way', async () => {
    using lower = temporaryCache();
    const wanted = plan('a');
    (await lower.open().hold(wanted))[Symbol.dispose]();
    using above = mountedOver(lower.path);
    const cache = above.open();
    const [entry] = cache.list();
    assert.ok(entry);
    cache.remove(entry.name);
    assert.deepEqual(cache.list(), []);
    assert.equal(existsSync(join(above.path, entry.name)), false);
    // As a crash in the middle leaves it: no record, and files.
    mkdirSync(join(above.path, entry.name));
    writeFileSync(join(above.path, entry.name, 'file'), 'left');
    using held = await cache.hold(wanted);
    assert.equal(readFileSync(join(held.folder, 'file'), 'utf8'), '2');
    assert.deepEqual(halfMade(above.path), []);
  });

  test('removes what a maker left that was killed, and nothing of one that lives', async () => {
    using cache = temporaryCache();
    const maker = join(import.meta.dirname, 'cache-maker.ts');
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', maker, cache.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    (await cache.open().workFolder('machine'))[Symbol.dispose]();
    assert.equal(halfMade(cache.path).length, 1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    (await cache.open().workFolder('machine'))[Symbol.dispose]();
    assert.deepEqual(halfMade(cache.path), []);
  });
});
