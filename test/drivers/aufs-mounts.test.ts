/**
 * The mounts over a data root that Docker's aufs driver laid out, by either backend: what is in `layers/` alone decides which branches
 * are mounted, and in which order. No kernel in reach has AUFS, so its calls are recorded. Containers on such a root:
 * aufs-roots.slow.test.ts.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { AufsDriver } from '../../src/drivers/aufs/driver.ts';
import { kernelBackend } from '../../src/drivers/aufs/kernel.ts';
import { Layout } from '../../src/drivers/aufs/layout.ts';
import { assertFails, changeLines } from '../../src/drivers/conformance/layers.ts';
import { Staging } from '../../src/drivers/staging.ts';
import { type MountRequest, MS_RDONLY } from '../../src/linux/mount.ts';
import { makeStore, type TestStore } from '../helpers/stores.ts';

const id = (letter: string): string => letter.repeat(64);
/** From the bottom up, as `docker pull` and `docker create` make them. */
const BASE = id('a');
const MIDDLE = id('5');
const TOP = id('c');
const CONTAINER = id('1');
const STACK = [BASE, MIDDLE, TOP, `${CONTAINER}-init`, CONTAINER];

const FILES: Readonly<Record<string, readonly string[]>> = {
  [BASE]: ['gone', 'data/old', 'kept'],
  [MIDDLE]: ['.wh.gone', 'data/.wh..wh..opq', 'data/new'],
  [TOP]: ['top'],
  // What AUFS itself leaves in a branch that was mounted for writing.
  [CONTAINER]: ['.wh..wh.aufs', '.wh..wh.orph/', '.wh..wh.plnk/', '.wh.kept', 'made'],
};

/** By the rules of Docker's `daemon/graphdriver/aufs`: three folders, and in `layers/` the parents of each, nearest first. */
function layOut(home: string): void {
  for (const name of ['diff', 'layers', 'mnt'])
    fs.mkdirSync(`${home}/${name}`, { recursive: true, mode: 0o710 });
  for (const [index, one] of STACK.entries()) {
    for (const name of ['mnt', 'diff']) fs.mkdirSync(`${home}/${name}/${one}`, { mode: 0o755 });
    const parents = STACK.slice(0, index).reverse();
    fs.writeFileSync(`${home}/layers/${one}`, parents.map((parent) => `${parent}\n`).join(''), {
      mode: 0o644,
    });
    for (const path of FILES[one] ?? []) {
      const full = `${home}/diff/${one}/${path}`;
      fs.mkdirSync(path.endsWith('/') ? full : full.slice(0, full.lastIndexOf('/')), { recursive: true });
      if (!path.endsWith('/')) fs.writeFileSync(full, path);
    }
  }
}

/** The driver on such a root, above the kernel's AUFS of which each mount is recorded and none is made. */
function onKernel(store: TestStore): { home: string; driver: AufsDriver; calls: MountRequest[] } {
  const context = store.context('aufs');
  const { home, runHome } = context;
  layOut(home);
  const calls: MountRequest[] = [];
  const layout = new Layout(home);
  const backend = kernelBackend({ layout, warn: () => {} }, runHome, (request) => calls.push(request));
  layout.make(store.dataRoot);
  return { home, calls, driver: new AufsDriver({ context, layout, staging: new Staging(home), backend }) };
}

/** What Docker 20.10 gives mount(2): `br:RW=rw:RO=ro+wh…`, then its options. */
function dockerData(home: string, first: 'rw' | 'ro+wh', stack: readonly string[]): RegExp {
  const branches = stack.map((one, index) => `${home}/diff/${one}=${index === 0 ? first : 'ro+wh'}`);
  const text = `br:${branches.join(':')},dio,xino=/dev/shm/aufs.xino`;
  return new RegExp(`^${text.replaceAll(/[.+]/g, '\\$&')}(,dirperm1)?$`);
}

describe('a root that Docker laid out is mounted', () => {
  test('by the kernel: each branch where layers/ has it, the topmost alone written', async () => {
    using store = makeStore();
    const { home, driver, calls } = onKernel(store);
    assert.deepEqual([...(await driver.list())].sort(), [...STACK].sort());
    for (const [index, one] of STACK.entries()) {
      await driver.get(one);
      const call = calls.shift();
      assert.equal(calls.length, 0);
      // A layer without a parent is its branch: nothing is mounted.
      if (index === 0) assert.equal(call, undefined);
      else {
        const { data, ...rest } = call ?? {};
        assert.deepEqual(rest, { source: 'none', target: `${home}/mnt/${one}`, type: 'aufs', flags: 0 });
        assert.match(String(data), dockerData(home, 'rw', STACK.slice(0, index + 1).reverse()));
      }
      await driver.put(one);
    }
  });

  test('by the kernel to be read: no branch is written, and the mount point is not in the root', async () => {
    using store = makeStore();
    const { home, driver, calls } = onKernel(store);
    await driver.get(CONTAINER, undefined, { isReadOnly: true }).catch(() => undefined);
    const [call, ...others] = calls;
    assert.deepEqual([call?.flags, call?.type, others], [MS_RDONLY, 'aufs', []]);
    assert.match(String(call?.data), dockerData(home, 'ro+wh', [...STACK].reverse()));
    assert.ok(!String(call?.target).startsWith(store.dataRoot), String(call?.target));
  });

  test('by a program: the same branches in the same order', async () => {
    using store = makeStore();
    const { home } = store.context('aufs');
    layOut(home);
    const program = `${store.dataRoot}/program`;
    fs.writeFileSync(program, `#!/bin/sh\n{ pwd; printf '%s\\n' "$@"; } >>${program}.said\nexit 1\n`, {
      mode: 0o755,
    });
    const driver = await store.open('aufs', [['aufs.mount_program', program]]);
    await assertFails(driver.get(CONTAINER), 'System', /cannot mount layer/);
    const said = fs.readFileSync(`${program}.said`, 'utf8').trimEnd().split('\n');
    const [folder, , options = '', target] = said;
    assert.deepEqual([folder, target], [`${home}/diff`, `${home}/mnt/${CONTAINER}`]);
    const words = new Map(options.split(',').map((word) => [word.split('=')[0], word.split('=')[1]]));
    assert.equal(words.get('lowerdir'), STACK.slice(0, -1).reverse().join(':'));
    assert.equal(words.get('upperdir'), CONTAINER);
    assert.equal(said.length, 4);
  });

  test('and what changed is read from its branches, without a mount', async () => {
    using store = makeStore();
    const { driver, calls } = onKernel(store);
    const lines = async (one: string, parent: string) => changeLines(await driver.changes(one, parent));
    assert.deepEqual(await lines(CONTAINER, `${CONTAINER}-init`), ['deleted /kept', 'added /made']);
    assert.deepEqual(await lines(MIDDLE, BASE), [
      'modified /data',
      'added /data/new',
      'deleted /data/old',
      'deleted /gone',
    ]);
    assert.deepEqual(calls, []);
  });

  test('and a layer that is made on it is told of as Docker would', async () => {
    using store = makeStore();
    const { home, driver } = onKernel(store);
    const made = id('e');
    await driver.createReadWrite(made, TOP);
    assert.equal(fs.readFileSync(`${home}/layers/${made}`, 'utf8'), `${TOP}\n${MIDDLE}\n${BASE}\n`);
    for (const name of ['mnt', 'diff']) assert.deepEqual(fs.readdirSync(`${home}/${name}/${made}`), []);
    await assertFails(driver.remove(TOP), 'Conflict', /is the parent of layer/);
    await driver.remove(made);
    assert.deepEqual([...(await driver.list())].sort(), [...STACK].sort());
  });
});
