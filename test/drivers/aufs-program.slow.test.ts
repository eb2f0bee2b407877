/** aufs mounted by fuse-overlayfs: what is on disk of a layer, and daemons that die. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { aufsFactory } from '../../src/drivers/aufs/index.ts';
import { changeLines, collect, imageLayer, inside } from '../../src/drivers/conformance/layers.ts';
import { newId } from '../../src/drivers/conformance/suite.ts';
import { namesOf } from '../../src/drivers/conformance/tar.ts';
import type { GraphDriver } from '../../src/drivers/driver.ts';
import { isMountPoint } from '../../src/drivers/mount-counter.ts';
import { findMountAt } from '../../src/linux/mountinfo.ts';
import { commandLine, processIds } from '../../src/linux/processes.ts';
import { llistxattr } from '../../src/linux/xattr.ts';
import { makeStore, runElsewhere, type TestStore } from '../helpers/stores.ts';
import { until } from '../helpers/until.ts';

describe('aufs by a FUSE program', () => {
  let store: TestStore;
  let driver: GraphDriver;
  before(async () => {
    store = makeStore();
    driver = await store.open('aufs');
  });
  after(async () => {
    await driver.cleanup();
    store[Symbol.dispose]();
  });
  const home = (): string => store.context('aufs').home;
  const diff = (id: string): string => `${home()}/diff/${id}`;
  /** Everything that is on disk of a layer, with the names of its extended attributes. */
  const onDisk = (id: string): string[] =>
    fs
      .readdirSync(diff(id), { recursive: true, encoding: 'utf8' })
      .map((path) => [path, ...llistxattr(`${diff(id)}/${path}`).map(String)].join(' '))
      .sort();
  const daemons = (id: string): number[] =>
    processIds().filter((pid) => commandLine(pid).some((word) => word.endsWith(`/mnt/${id}`)));

  async function child(parent: string): Promise<string> {
    const id = newId();
    await driver.createReadWrite(id, parent);
    return id;
  }

  test('a layer is on disk as Docker has it', async () => {
    const base = await imageLayer(driver, undefined, () => {});
    const id = await child(await child(base));
    const [parent] = fs.readFileSync(`${home()}/layers/${id}`, 'utf8').split('\n');
    assert.equal(fs.readFileSync(`${home()}/layers/${id}`, 'utf8'), `${parent}\n${base}\n`);
    assert.equal(fs.readFileSync(`${home()}/layers/${base}`, 'utf8'), '');
    for (const name of ['diff', 'layers', 'mnt'])
      assert.equal(fs.statSync(`${home()}/${name}`).mode & 0o777, 0o710);
    assert.deepEqual(fs.readdirSync(`${home()}/mnt/${id}`), []);
  });

  test('hard links over directories are links in the tar of the whole tree', async () => {
    const base = await imageLayer(driver, undefined, (path) => {
      fs.mkdirSync(`${path}/a`);
      fs.mkdirSync(`${path}/z`);
      fs.writeFileSync(`${path}/a/first`, 'content');
      fs.linkSync(`${path}/a/first`, `${path}/z/second`);
    });
    await using layer = await driver.get(await child(base), undefined, { isReadOnly: true });
    const { packTree } = await import('../../src/archive/pack.ts');
    assert.equal(layer.countsNamesLate, true);
    const tar = await collect(packTree(layer.path, { listsFirst: true }));
    const listed = execFileSync('tar', ['-tv'], { input: tar, encoding: 'utf8' });
    assert.match(listed, /^h.* z\/second link to a\/first$/m);
  });

  test('a program that stays in the foreground is given up, with all that it started, and leaves nothing', async () => {
    using own = makeStore();
    const program = `${own.dataRoot}/program`;
    fs.writeFileSync(program, '#!/bin/sh\nsleep 4321\n', { mode: 0o755 });
    const stuck = await own.open('aufs', [['aufs.mount_program', program]]);
    const [base, id] = [newId(), newId()];
    await stuck.create(base, undefined);
    await stuck.createReadWrite(id, base);
    await assert.rejects(stuck.get(id), {
      code: 'System',
      message: /\/program cannot mount layer .*: it has not mounted after 10 s, or stays in the foreground$/,
    });
    const left = (): number[] => processIds().filter((pid) => commandLine(pid).includes('4321'));
    await until(() => left().length === 0);
    await stuck.remove(id);
    assert.equal(await stuck.exists(id), false);
  });

  test('after the last release a branch is as AUFS would have left it, and the daemon is gone', async () => {
    const base = await imageLayer(driver, undefined, (root) => {
      fs.mkdirSync(`${root}/dir/sub`, { recursive: true });
      for (const name of ['gone', 'changed', 'dir/sub/one', 'dir/lower'])
        fs.writeFileSync(`${root}/${name}`, name);
      fs.linkSync(`${root}/dir/sub/one`, `${root}/two`);
      fs.chmodSync(`${root}/dir/sub`, 0o2750);
    });
    const id = await child(base);
    await inside(driver, id, async (root) => {
      fs.rmSync(`${root}/gone`);
      fs.appendFileSync(`${root}/changed`, ' more');
      fs.appendFileSync(`${root}/two`, ' more');
      fs.rmSync(`${root}/dir/lower`);
      fs.mkdirSync(`${root}/new`);
      // The branch has one name of the two only, and yet both have changed.
      const lines = changeLines(await driver.changes(id, base));
      assert.ok(lines.includes('modified /two') && lines.includes('modified /dir/sub/one'), lines.join());
      const names = namesOf(await collect(driver.diff(id, base)));
      assert.ok(names.includes('two') && names.includes('dir/sub/one'), names.join());
      assert.equal(daemons(id).length, 1);
    });
    assert.deepEqual(onDisk(id), [
      '.wh.gone',
      'changed',
      'dir',
      'dir/.wh.lower',
      'dir/sub',
      'dir/sub/one',
      'new',
      'new/.wh..wh..opq',
      'two',
    ]);
    assert.equal(fs.statSync(`${diff(id)}/dir/sub`).mode & 0o7777, 0o2750);
    assert.equal(fs.statSync(`${diff(id)}/two`).ino, fs.statSync(`${diff(id)}/dir/sub/one`).ino);
    assert.deepEqual(fs.readdirSync(`${home()}/.tsengine-work`), []);
    await until(() => daemons(id).length === 0);
    const names = namesOf(await collect(driver.diff(id, base)));
    assert.deepEqual(names, [
      '.wh.gone',
      'changed',
      'dir',
      'dir/.wh.lower',
      'dir/sub',
      'dir/sub/one',
      'new',
      'two',
    ]);
  });

  test("AUFS's own files are understood and never exported", async () => {
    const base = await imageLayer(driver, undefined, (root) => {
      fs.mkdirSync(`${root}/old`);
      fs.mkdirSync(`${root}/hides`);
      fs.writeFileSync(`${root}/old/lower`, '');
      fs.writeFileSync(`${root}/hides/lower`, '');
    });
    const id = await child(base);
    for (const name of ['.wh..wh.plnk', '.wh..wh.orph', 'old', 'hides']) fs.mkdirSync(`${diff(id)}/${name}`);
    fs.writeFileSync(`${diff(id)}/file`, 'linked');
    fs.linkSync(`${diff(id)}/file`, `${diff(id)}/.wh..wh.plnk/123.456`);
    fs.writeFileSync(`${diff(id)}/.wh..wh.orph/deleted`, 'x'.repeat(1000));
    for (const name of ['.wh..wh.aufs', 'old/.wh.__dir_opaque', 'hides/.wh..wh..opq']) {
      fs.writeFileSync(`${diff(id)}/${name}`, '');
    }
    const names = namesOf(await collect(driver.diff(id, base)));
    assert.deepEqual(names, ['file', 'hides', 'hides/.wh..wh..opq', 'old', 'old/.wh..wh..opq']);
    const lines = changeLines(await driver.changes(id, base));
    assert.deepEqual(lines, [
      'added /file',
      'modified /hides',
      'deleted /hides/lower',
      'modified /old',
      'deleted /old/lower',
    ]);
    assert.equal(await driver.diffSize(id, base), 'linked'.length);
  });

  test('a name too long to have a whiteout is compared, and its file joined with its other name', async () => {
    const long = 'n'.repeat(255);
    const base = await imageLayer(driver, undefined, (root) => {
      fs.mkdirSync(`${root}/d`);
      fs.writeFileSync(`${root}/d/${long}`, 'a');
      fs.linkSync(`${root}/d/${long}`, `${root}/short`);
    });
    const id = await child(base);
    await inside(driver, id, (root) => fs.appendFileSync(`${root}/short`, 'b'));
    await inside(driver, id, (root) => assert.equal(fs.readFileSync(`${root}/d/${long}`, 'utf8'), 'ab'));
    const lines = changeLines(await driver.changes(id, base));
    assert.deepEqual(lines, ['modified /d', `modified /d/${long}`, 'modified /short']);
    await driver.remove(id);
  });

  test('a daemon that died is replaced at the next get, and what it had written is there', async () => {
    const base = await imageLayer(driver, undefined, (root) => fs.writeFileSync(`${root}/a`, 'a'));
    const id = await child(base);
    const first = await driver.get(id);
    fs.appendFileSync(`${first.path}/a`, 'b');
    for (const pid of daemons(id)) process.kill(pid, 'SIGKILL');
    await until(() => daemons(id).length === 0);
    const second = await driver.get(id);
    assert.equal(fs.readFileSync(`${second.path}/a`, 'utf8'), 'ab');
    assert.match(store.warnings.join('\n'), /the daemon of layer [0-9a-f]+ had died/);
    // Whoever had the dead one releases it late, and takes nothing from who has the new one.
    await first[Symbol.asyncDispose]();
    fs.appendFileSync(`${second.path}/a`, 'c');
    await second[Symbol.asyncDispose]();
    // The daemon ends on its own time once nothing is mounted any more.
    await until(() => daemons(id).length === 0);
    await inside(driver, id, (root) => assert.equal(fs.readFileSync(`${root}/a`, 'utf8'), 'abc'));
    const again = await driver.get(id);
    for (const pid of daemons(id)) process.kill(pid, 'SIGKILL');
    await until(() => daemons(id).length === 0);
    await again[Symbol.asyncDispose]();
    await driver.remove(id);
  });

  test('a data root on FUSE is refused, where the program would lose set-ID bits', async () => {
    const [from, to] = [`${store.dataRoot}/from`, `${store.dataRoot}/to`];
    for (const path of [from, to]) fs.mkdirSync(path);
    execFileSync('bindfs', ['-o', 'use_ino', from, to]);
    try {
      using above = makeStore(to);
      await assert.rejects(above.open('aufs'), {
        code: 'Unavailable',
        message:
          /fuse-overlayfs loses set-ID bits over fuse, and .* is on it: put the data root on ext4 or xfs/,
      });
      assert.deepEqual(fs.readdirSync(above.dataRoot), []);
    } finally {
      execFileSync('umount', ['-l', to]);
    }
  });

  test('a data root that will be below a symbolic link is judged by the folder that the link leads to', async () => {
    fs.mkdirSync(`${store.dataRoot}/plain`);
    fs.symlinkSync('plain', `${store.dataRoot}/link`);
    const context = { ...store.context('aufs'), home: `${store.dataRoot}/link/new/aufs` };
    const support = await aufsFactory.probe(context);
    assert.equal(support.supported, true, support.supported ? '' : support.reason);
    assert.deepEqual(fs.readdirSync(`${store.dataRoot}/plain`), []);
    fs.mkdirSync(`${store.dataRoot}/none`);
    execFileSync('mount', ['-t', 'ramfs', 'ramfs', `${store.dataRoot}/none`]);
    try {
      fs.symlinkSync('none', `${store.dataRoot}/other`);
      const refused = await aufsFactory.probe({ ...context, home: `${store.dataRoot}/other/new/aufs` });
      assert.match(refused.supported ? '' : refused.reason, /on a ramfs without extended attributes/);
    } finally {
      execFileSync('umount', [`${store.dataRoot}/none`]);
    }
  });

  test('a data root without extended attributes is refused, where the program could not join names', async () => {
    const root = `${store.dataRoot}/ram`;
    fs.mkdirSync(root);
    execFileSync('mount', ['-t', 'ramfs', 'ramfs', root]);
    try {
      using above = makeStore(root);
      await assert.rejects(above.open('aufs'), {
        code: 'Unavailable',
        message:
          /cannot keep the names of a file together on a ramfs without extended attributes of user\.\*/,
      });
      assert.deepEqual(fs.readdirSync(above.dataRoot), []);
    } finally {
      execFileSync('umount', [root]);
    }
  });

  test('a program whose starter was killed is waited for, and its union is taken over or back', async () => {
    const base = await imageLayer(driver, undefined, (root) => fs.writeFileSync(`${root}/a`, 'a'));
    const { home, runHome } = store.context('aufs');
    const slow = `${store.dataRoot}/slow`;
    fs.mkdirSync(slow);
    fs.writeFileSync(`${slow}/fuse-overlayfs`, '#!/bin/sh\nsleep 0.5\nexec /usr/bin/fuse-overlayfs "$@"\n', {
      mode: 0o755,
    });
    for (const ending of ['get', 'put', 'remove'] as const) {
      const id = await child(base);
      const request = { name: 'aufs', home, runHome, job: { call: 'get', id } } as const;
      const environment = { PATH: `${slow}:${process.env.PATH}`, TSENGINE_FAULT: 'waitpid:1:kill' };
      assert.equal((await runElsewhere(request, environment)).status, undefined);
      assert.equal(isMountPoint(`${home}/mnt/${id}`), false, 'it came up too soon to show anything');
      if (ending === 'get') await inside(driver, id, () => assert.equal(daemons(id).length, 1));
      else await driver[ending](id);
      assert.equal(findMountAt(`${home}/mnt/${id}`), undefined);
      await until(() => daemons(id).length === 0);
      assert.deepEqual(fs.readdirSync(`${home}/.tsengine-work`), []);
    }
  });

  test('what is read goes on when others release, and ends with who reads', async () => {
    const base = await imageLayer(driver, undefined, (root) => fs.writeFileSync(`${root}/a`, 'a'));
    const id = await child(base);
    const view = await driver.get(id, undefined, { isReadOnly: true });
    assert.equal(fs.readFileSync(`${view.path}/a`, 'utf8'), 'a');
    assert.throws(() => fs.writeFileSync(`${view.path}/b`, ''), { code: 'EROFS' });
    await view[Symbol.asyncDispose]();
    assert.deepEqual(onDisk(id), []);
  });
});
