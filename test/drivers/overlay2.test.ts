import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import {
  assertFails,
  changeLines,
  collect,
  containerLayer,
  imageLayer,
  inside,
  streamOf,
} from '../../src/drivers/conformance/layers.ts';
import { namesOf, tarOf } from '../../src/drivers/conformance/tar.ts';
import { write } from '../../src/drivers/conformance/trees.ts';
import { STAGED_FOLDER } from '../../src/drivers/staging.ts';
import { utimensAt } from '../../src/linux/at.ts';
import { AT_FDCWD } from '../../src/linux/stat.ts';
import { fsName, statfs } from '../../src/linux/statfs.ts';
import { lgetxattr } from '../../src/linux/xattr.ts';
import { makeStore } from '../helpers/stores.ts';

const permissions = (path: string): string => (fs.lstatSync(path).mode & 0o7777).toString(8);
const read = (path: string): string => fs.readFileSync(path, 'utf8');

describe('the layout is that of Docker 20.10.24', () => {
  test('folders, files, modes, names and contents of a base, a child and a grandchild', async () => {
    using store = makeStore();
    const driver = await store.open('overlay2');
    const home = `${store.dataRoot}/overlay2`;
    const [base, top, own] = ['a'.repeat(64), 'b'.repeat(64), `${'c'.repeat(64)}-init`];
    await driver.create(base, undefined);
    await driver.create(top, base);
    await driver.createReadWrite(own, top);
    assert.deepEqual([permissions(home), permissions(`${home}/l`)], ['710', '700']);
    assert.deepEqual(fs.readdirSync(`${home}/${base}`).sort(), ['committed', 'diff', 'link']);
    assert.deepEqual(fs.readdirSync(`${home}/${top}`).sort(), ['committed', 'diff', 'link', 'lower', 'work']);
    assert.deepEqual(fs.readdirSync(`${home}/${own}`).sort(), ['diff', 'link', 'lower', 'work']);
    const modes = { committed: '600', diff: '755', link: '644', lower: '644', work: '700' };
    for (const [name, mode] of Object.entries(modes))
      assert.equal(permissions(`${home}/${top}/${name}`), mode);
    assert.equal(permissions(`${home}/${top}`), '710');
    const [baseLink, topLink] = [read(`${home}/${base}/link`), read(`${home}/${top}/link`)];
    for (const link of [baseLink, topLink]) assert.match(link, /^[A-Z2-7]{26}$/);
    assert.equal(fs.readlinkSync(`${home}/l/${topLink}`), `../${top}/diff`);
    assert.equal(read(`${home}/${top}/lower`), `l/${baseLink}`);
    assert.equal(read(`${home}/${own}/lower`), `l/${topLink}:l/${baseLink}`);
    assert.equal(read(`${home}/${top}/committed`), '');
  });

  test('what containers see does not depend on the umask', async () => {
    using store = makeStore();
    const before = process.umask(0o077);
    try {
      const driver = await store.open('overlay2');
      await driver.create('base', undefined);
      await driver.create('top', 'base');
      assert.equal(permissions(`${store.dataRoot}/overlay2/top/diff`), '755');
    } finally {
      process.umask(before);
    }
  });

  test('a layer without a parent is its diff folder; one with children is mounted to be read only', async () => {
    using store = makeStore();
    const driver = await store.open('overlay2');
    const base = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
    await inside(driver, base, (root) => assert.equal(root, `${store.dataRoot}/overlay2/${base}/diff`));
    const top = await imageLayer(driver, base, (root) => write(`${root}/b`, 'b'));
    await driver.create('child', top);
    await inside(driver, top, (root) => {
      assert.deepEqual(fs.readdirSync(root).sort(), ['a', 'b']);
      assert.throws(() => fs.writeFileSync(`${root}/c`, ''), { code: 'EROFS' });
    });
  });

  test('metadata names the folders as docker inspect does', async () => {
    using store = makeStore();
    const driver = await store.open('overlay2');
    const home = `${store.dataRoot}/overlay2`;
    await driver.create('base', undefined);
    await driver.create('top', 'base');
    await driver.create('third', 'top');
    assert.deepEqual(await driver.metadata('third'), {
      LowerDir: `${home}/top/diff:${home}/base/diff`,
      MergedDir: `${home}/third/merged`,
      UpperDir: `${home}/third/diff`,
      WorkDir: `${home}/third/work`,
    });
    assert.equal((await driver.metadata('base'))?.LowerDir, undefined);
  });

  test('status has the rows of docker info', async () => {
    using store = makeStore();
    const rows = await (await store.open('overlay2')).status();
    const labels = ['Backing Filesystem', 'Supports d_type', 'Native Overlay Diff', 'userxattr'];
    assert.deepEqual(
      rows.map(([label]) => label),
      labels,
    );
  });
});

describe('mounts', () => {
  test('use relative names, whatever the data root is called', async () => {
    const parent = fs.mkdtempSync(`${tmpdir()}/tsengine, a:b\\c "d" `);
    try {
      using store = makeStore(parent);
      const driver = await store.open('overlay2');
      const base = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
      await inside(driver, await containerLayer(driver, base), (root) => {
        assert.equal(read(`${root}/a`), 'a');
        const line = read('/proc/self/mountinfo')
          .split('\n')
          .find((one) => one.includes('/merged '));
        assert.match(line ?? '', /lowerdir=l\/[A-Z2-7]{26}:l\/[A-Z2-7]{26},upperdir=[0-9a-f]{64}\/diff,/);
      });
    } finally {
      fs.rmSync(parent, { recursive: true });
    }
  });

  test('work on a data root whose path is 3500 bytes long', async () => {
    const parent = fs.mkdtempSync(`${tmpdir()}/tsengine-long-`);
    try {
      const long = `${parent}${`/${'d'.repeat(249)}`.repeat(14)}`;
      fs.mkdirSync(long, { recursive: true });
      using store = makeStore(long);
      const driver = await store.open('overlay2');
      let top: string | undefined;
      for (let i = 0; i < 4; i++) top = await imageLayer(driver, top, (root) => write(`${root}/${i}`, ''));
      await inside(driver, await containerLayer(driver, top), (root) => {
        assert.equal(fs.readdirSync(root).length, 4);
        write(`${root}/own`, 'own');
      });
    } finally {
      fs.rmSync(parent, { recursive: true });
    }
  });

  test('leave the working directory of the process where it was', async () => {
    using store = makeStore();
    const driver = await store.open('overlay2');
    const before = process.cwd();
    const base = await imageLayer(driver, undefined, () => {});
    await inside(driver, await containerLayer(driver, base), () => {
      assert.equal(fs.readlinkSync('/proc/thread-self/cwd'), before);
    });
  });

  test('find short names that were lost, as Docker does', async () => {
    using store = makeStore();
    const driver = await store.open('overlay2');
    const base = await imageLayer(driver, undefined, (root) => write(`${root}/a`, 'a'));
    const top = await imageLayer(driver, base, () => {});
    const folder = `${store.dataRoot}/overlay2/l`;
    const names = fs.readdirSync(folder).sort();
    for (const name of names) fs.rmSync(`${folder}/${name}`);
    await inside(driver, top, (root) => assert.equal(read(`${root}/a`), 'a'));
    assert.deepEqual(fs.readdirSync(folder).sort(), names);
    for (const name of names) fs.rmSync(`${folder}/${name}`);
    await driver.applyDiff(top, base, streamOf(tarOf([{ name: 'b/c' }])));
    assert.deepEqual(fs.readdirSync(folder).sort(), names);
  });

  test('that fail say why and leave no mount point', async () => {
    using store = makeStore();
    const driver = await store.open('overlay2');
    await driver.create('base', undefined);
    await driver.create('top', 'base');
    const layer = `${store.dataRoot}/overlay2/top`;
    fs.rmSync(`${layer}/work`, { recursive: true });
    await assertFails(driver.get('top'), 'Corrupt', /cannot mount layer top: \/\S*\/top\/work is missing: /);
    assert.equal(fs.existsSync(`${layer}/merged`), false);
    fs.mkdirSync(`${layer}/work`);
    fs.rmSync(`${store.dataRoot}/overlay2/base`, { recursive: true });
    await assertFails(driver.get('top'), 'Corrupt', /: \/\S*\/overlay2\/base\/diff is missing: put it back/);
    assert.equal(fs.existsSync(`${layer}/merged`), false);
    fs.writeFileSync(`${layer}/lower`, 'l/../../etc');
    await assertFails(driver.get('top'), 'Corrupt', /lower/);
  });
});

describe('marks that only the kernel follows', () => {
  test('a directory renamed with redirect_dir by another program: seen, and in changes', async () => {
    using store = makeStore();
    const driver = await store.open('overlay2');
    const home = `${store.dataRoot}/overlay2`;
    const base = await imageLayer(driver, undefined, (root) => {
      fs.mkdirSync(`${root}/from`);
      write(`${root}/from/file`, 'file');
    });
    await driver.create('redirected', base);
    const [lower] = read(`${home}/redirected/lower`).split(':');
    const point = `${home}/redirected/merged`;
    fs.mkdirSync(point);
    const data = `redirect_dir=on,lowerdir=${home}/${lower},upperdir=${home}/redirected/diff,workdir=${home}/redirected/work`;
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', data, point]);
    fs.renameSync(`${point}/from`, `${point}/to`);
    execFileSync('umount', [point]);
    fs.rmdirSync(point);
    assert.notEqual(lgetxattr(`${home}/redirected/diff/to`, 'trusted.overlay.redirect'), undefined);
    await inside(driver, 'redirected', (root) => assert.equal(read(`${root}/to/file`), 'file'));
    assert.deepEqual(changeLines(await driver.changes('redirected', base)), [
      'deleted /from',
      'added /to',
      'added /to/file',
    ]);
    const tar = await collect(driver.diff('redirected', base));
    assert.deepEqual(namesOf(tar), ['.wh.from', 'to', 'to/file']);
    await using source = await driver.diffSource('redirected', base);
    assert.equal(read(`${source.root}/to/file`), 'file');
  });
});

test('a file whose time and size were put back after it was changed is found out', async () => {
  using store = makeStore();
  const driver = await store.open('overlay2');
  const base = await imageLayer(driver, undefined, (root) => {
    write(`${root}/changed`, 'before');
    write(`${root}/only-opened`, 'before');
  });
  const top = await imageLayer(driver, base, (root) => {
    const { mtimeNs } = fs.lstatSync(`${root}/changed`, { bigint: true });
    fs.writeFileSync(`${root}/changed`, 'behind');
    const time = { sec: Number(mtimeNs / 1_000_000_000n), nsec: Number(mtimeNs % 1_000_000_000n) };
    utimensAt(AT_FDCWD, `${root}/changed`, time, time);
    fs.closeSync(fs.openSync(`${root}/only-opened`, 'r+'));
  });
  assert.deepEqual(changeLines(await driver.changes(top, base)), ['modified /changed']);
});

describe('crash leftovers', () => {
  test('are swept when the driver is opened: layers half made or half removed, with their short names', async () => {
    using store = makeStore();
    const first = await store.open('overlay2');
    await first.create('base', undefined);
    const home = `${store.dataRoot}/overlay2`;
    const staged = `${home}/${STAGED_FOLDER}/gone.1.0`;
    fs.mkdirSync(`${staged}/diff/deep`, { recursive: true });
    fs.writeFileSync(`${staged}/link`, 'A'.repeat(26));
    fs.symlinkSync('../gone/diff', `${home}/l/${'A'.repeat(26)}`);
    fs.mkdirSync(`${home}/${STAGED_FOLDER}/empty.2.0`);
    const second = await store.open('overlay2');
    assert.deepEqual(fs.readdirSync(`${home}/${STAGED_FOLDER}`), ['lock']);
    assert.equal(fs.readdirSync(`${home}/l`).length, 1);
    assert.deepEqual(await second.list(), ['base']);
  });

  test('a count without a mount, as after a reboot, is void', async () => {
    using store = makeStore();
    const driver = await store.open('overlay2');
    const base = await imageLayer(driver, undefined, () => {});
    const id = await containerLayer(driver, base);
    const mounted = await driver.get(id);
    await driver.get(id);
    execFileSync('umount', [mounted.path]);
    await inside(driver, id, () => {});
    assert.equal(fs.existsSync(mounted.path), false);
    await driver.remove(id);
  });
});

describe('options', () => {
  const cases = [
    ['overlay2.foo', '1', /^overlay2 has no option overlay2\.foo: it takes /],
    ['size', '10G', /^overlay2 has no option size: it takes /],
    ['dm.basesize', '10G', /^overlay2 has no option dm\.basesize: .*devicemapper$/],
    ['overlay2.size', 'abc', /^overlay2\.size: invalid size: 'abc'/],
    [
      'overlay2.size',
      '10G',
      /^Storage Option overlay2\.size not supported\. Filesystem does not support Project Quota: \/.*\/overlay2 is on .*: .*(pquota|prjquota)/,
    ],
    ['overlay2.override_kernel_check', 'maybe', /cannot read "maybe" as a boolean/],
  ] as const;
  for (const [key, value, words] of cases) {
    test(`${key}=${value} is refused, and nothing is made`, async () => {
      using store = makeStore();
      await assertFails(store.open('overlay2', [[key, value]]), 'InvalidParameter', words);
      assert.equal(fs.existsSync(`${store.dataRoot}/overlay2`), false);
    });
  }

  test('overlay2.override_kernel_check is taken with a warning', async () => {
    using store = makeStore();
    await store.open('overlay2', [['overlay2.override_kernel_check', 'true']]);
    assert.match(store.warnings.join(), /no effect/);
  });

  test("a container's are refused in Docker's words", async () => {
    using store = makeStore();
    const driver = await store.open('overlay2');
    const create = (storageOptions: Record<string, string>) =>
      driver.createReadWrite('container', undefined, { storageOptions });
    await assertFails(
      create({ foo: '1' }),
      'InvalidParameter',
      /^Unknown option foo: a container's --storage-opt is size, such as size=10G$/,
    );
    await assertFails(
      create({ size: '10G' }),
      'InvalidParameter',
      /^--storage-opt is supported only for overlay over xfs with 'pquota' mount option, or ext4 with 'prjquota': \/.*\/overlay2 is on .*: .*(pquota|prjquota)/,
    );
    await assertFails(
      driver.create('image', undefined, { storageOptions: { size: '10G' } }),
      'InvalidParameter',
      /^--storage-opt size is only supported for ReadWrite Layers$/,
    );
  });
});

describe('the probe', () => {
  test('is done once a boot, and again when its result is not what it should be', async () => {
    using store = makeStore();
    await store.open('overlay2');
    const file = `${store.context('overlay2').runHome}/overlay2-abilities`;
    const first = read(file);
    const { ino } = fs.statSync(file);
    await store.open('overlay2');
    assert.equal(fs.statSync(file).ino, ino);
    fs.writeFileSync(file, first.replace(/^2 \S+/, '2 another-boot'));
    await store.open('overlay2');
    assert.equal(read(file), first);
    fs.writeFileSync(file, first.slice(0, 50));
    await store.open('overlay2');
    assert.equal(read(file), first);
  });

  test('leaves nothing behind', async () => {
    using store = makeStore();
    const { overlay2Factory } = await import('../../src/drivers/overlay2/index.ts');
    assert.deepEqual(await overlay2Factory.probe(store.context('overlay2')), { supported: true });
    assert.deepEqual(fs.readdirSync(store.dataRoot), []);
  });
});

test('in a user namespace its marks are user.* attributes, and the upper directory is still the difference', () => {
  using store = makeStore();
  const script = `${import.meta.dirname}/../helpers/userns-child.ts`;
  const unshared = (...command: string[]) =>
    spawnSync('unshare', ['--user', '--map-root-user', '--mount', ...command], { encoding: 'utf8' });
  const ran = unshared(process.execPath, script, store.dataRoot);
  for (const name of ['l', 'u', 'w', 'm'])
    fs.mkdirSync(`${store.dataRoot}/tried/${name}`, { recursive: true });
  const layers = ['lowerdir=l', 'upperdir=u', 'workdir=w'].join(',');
  const mount = `cd "$0" && exec mount -t overlay -o ${layers} overlay m`;
  if (unshared('sh', '-c', mount, `${store.dataRoot}/tried`).status !== 0) {
    // Before Linux 5.11 overlayfs is for root alone.
    assert.match(
      ran.stderr,
      /overlay2: this process may not mount overlay \(.*operation not permitted\): run as root/,
    );
    return;
  }
  const result: unknown = JSON.parse(ran.stdout);
  assert.deepEqual(result, {
    status: {
      'Backing Filesystem': fsName(statfs(tmpdir()).magic),
      'Supports d_type': 'true',
      'Native Overlay Diff': 'true',
      userxattr: 'true',
    },
    nativeDiff: true,
    changes: ['modified /dir', 'added /dir/new', 'deleted /dir/old', 'deleted /gone'],
    tar: ['dir', 'dir/.wh..wh..opq', 'dir/new', '.wh.gone'],
  });
});
