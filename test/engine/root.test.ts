import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { openReadOnlyRoot } from '../../src/engine/read-only-root.ts';
import { execRootFor, openDataRoot } from '../../src/engine/root.ts';
import { tryFlock } from '../../src/linux/flock.ts';

const run = promisify(execFile);
let base: string;
beforeEach(() => {
  base = mkdtempSync(`${tmpdir()}/ts-rt-`);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const open = (name = 'data') => openDataRoot({ dataRoot: `${base}/${name}`, execRoot: `${base}/exec` });
const modeOf = (path: string): number => statSync(path).mode & 0o7777;

describe('the data root', () => {
  test('is made with the modes that Docker gives it', async () => {
    using root = await open('a/b/data');
    assert.equal(modeOf(root.path), 0o710);
    assert.equal(modeOf(`${base}/a/b`), 0o755);
    assert.equal(modeOf(root.execRoot), 0o700);
    assert.equal(modeOf(root.stateDir), 0o700);
    assert.deepEqual(JSON.parse(readFileSync(`${root.stateDir}/version.json`, 'utf8')), { version: 1 });
  });

  test('has an exec root of its own, whatever path leads to it', async () => {
    assert.equal(execRootFor('/var/lib/tsengine'), '/run/tsengine');
    assert.match(execRootFor('/srv/a'), /^\/run\/tsengine-[0-9a-f]{12}$/);
    assert.notEqual(execRootFor('/srv/a'), execRootFor('/srv/b'));
    mkdirSync(`${base}/data`);
    symlinkSync('data', `${base}/link`);
    using direct = await openDataRoot({ dataRoot: `${base}/data` });
    using linked = await openDataRoot({ dataRoot: `${base}/link` });
    assert.deepEqual([linked.path, linked.execRoot], [direct.path, direct.execRoot]);
    rmSync(direct.execRoot, { recursive: true });
  });

  test('keeps the mode that it has', async () => {
    mkdirSync(`${base}/data`);
    chmodSync(`${base}/data`, 0o700);
    using root = await open();
    assert.equal(modeOf(root.path), 0o700);
  });

  test('opened for reading is neither made nor written, and gives no locks', async () => {
    await assert.rejects(openReadOnlyRoot({ dataRoot: `${base}/data` }), { code: 'NotFound' });
    mkdirSync(`${base}/data`);
    using root = await openReadOnlyRoot({ dataRoot: `${base}/data`, execRoot: `${base}/exec` });
    await assert.rejects(root.lock('images'), { code: 'Forbidden' });
    assert.throws(() => root.tryLock('images'), { code: 'Forbidden' });
    assert.deepEqual([root.readOnly, root.hasDockerd], [true, false]);
    assert.deepEqual(readdirSync(`${base}/data`), []);
    assert.equal(existsSync(`${base}/exec`), false);
    await assert.rejects(openReadOnlyRoot({ dataRoot: `${base}/data`, execRoot: `${base}/data/exec` }), {
      code: 'InvalidParameter',
    });
    mkdirSync(`${base}/data/tsengine`);
    writeFileSync(`${base}/data/tsengine/version.json`, '{"version": 99}');
    await assert.rejects(openReadOnlyRoot({ dataRoot: `${base}/data` }), /was written by a newer tsengine/);
  });

  test('that is a file is refused', async () => {
    writeFileSync(`${base}/data`, '');
    await assert.rejects(open(), { message: `data root ${base}/data is not a directory: name another` });
  });

  test('of a newer tsengine is refused, and one with a broken version file', async () => {
    (await open())[Symbol.dispose]();
    const file = `${base}/data/tsengine/version.json`;
    writeFileSync(file, '{"version": 999}');
    await assert.rejects(open(), {
      code: 'Unavailable',
      message: /written by a newer tsengine \(state version 999, this one knows 1\)/,
    });
    writeFileSync(file, '{"version": "1"}');
    await assert.rejects(open(), { code: 'Corrupt', message: `${file}: field "version": expected number` });
    writeFileSync(file, '{\n  "version": 1,\n}');
    await assert.rejects(open(), {
      code: 'Corrupt',
      message: `${file}: not JSON at line 3, column 1: unexpected "}"`,
    });
  });

  test('that a live dockerd works on is refused by its pid, and kept from it meanwhile', async () => {
    mkdirSync(`${base}/data/volumes`, { recursive: true });
    writeFileSync(`${base}/data/volumes/metadata.db`, '');
    const fd = openSync(`${base}/data/volumes/metadata.db`, 'r+');
    try {
      assert.ok(tryFlock(fd, 'exclusive'));
      await assert.rejects(open(), {
        code: 'Conflict',
        message: `data root ${base}/data is in use by dockerd (pid ${process.pid}): stop it first, or look at it with --read-only-root`,
      });
    } finally {
      closeSync(fd);
    }
    const again = openSync(`${base}/data/volumes/metadata.db`, 'r+');
    try {
      {
        using one = await open();
        using two = await open();
        assert.deepEqual(
          [one.path, tryFlock(again, 'exclusive')],
          [two.path, false],
          'dockerd would not start',
        );
      }
      assert.ok(tryFlock(again, 'exclusive'), 'given up in the end');
    } finally {
      closeSync(again);
    }
  });

  test('needs root', async (t) => {
    const root = new URL('../../src/engine/root.ts', import.meta.url).href;
    const code = `import(${JSON.stringify(root)}).then((m) => m.openDataRoot({ dataRoot: ${JSON.stringify(`${base}/x`)} })).catch((e) => console.log(e.code, e.message))`;
    const child = run(process.execPath, ['-e', code], { uid: 65_534, gid: 65_534 });
    const { stdout } = await child.catch((error: unknown) => {
      t.skip(`nobody cannot run ${process.execPath}: ${String(error).slice(0, 80)}`);
      return { stdout: '' };
    });
    if (stdout !== '') {
      assert.equal(stdout, 'Forbidden tsengine needs the rights of root: run it as root or with sudo\n');
    }
    assert.ok(!existsSync(`${base}/x`));
  });
});

describe('locks', () => {
  test('exclude each other, share, and leave no file when they are ephemeral', async () => {
    using root = await open();
    const first = await root.lock('a-1', { ephemeral: true });
    assert.equal(root.tryLock('a-1', { ephemeral: true }), undefined);
    const waiting = root.lock('a-1', { ephemeral: true });
    first.release();
    (await waiting).release();
    assert.ok(!existsSync(`${root.stateDir}/locks/a-1`));
    {
      using _one = await root.lock('b', { mode: 'shared' });
      using two = root.tryLock('b', { mode: 'shared' });
      assert.notEqual(two, undefined);
      assert.equal(root.tryLock('b'), undefined);
    }
    assert.ok(existsSync(`${root.stateDir}/locks/b`));
    for (const bad of ['', '../x', 'a/b', 'x'.repeat(201)]) assert.throws(() => root.tryLock(bad), TypeError);
  });
});
