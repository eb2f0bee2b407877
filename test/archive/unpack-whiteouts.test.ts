/** Whiteouts and opaque directories: with the kernel's overlayfs as the judge, and the same in a whole tree. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { mknodAt } from '../../src/linux/at.ts';
import { MNT_DETACH, mount, unmount } from '../../src/linux/mount.ts';
import { AT_FDCWD, lstat, S_IFCHR } from '../../src/linux/stat.ts';
import { lgetxattr } from '../../src/linux/xattr.ts';
import { atExit } from '../helpers/loop.ts';
import { describeTree } from '../helpers/trees.ts';
import { dir, file, hardlink, layer, type MemberSpec, makeTarget, symlink } from './layer-tools.ts';

const lower: readonly MemberSpec[] = [
  dir('d'),
  file('d/one', '1'),
  file('d/two', '2'),
  dir('d/sub'),
  file('d/sub/three', '3'),
  file('f', 'lower'),
  hardlink('g', 'f'),
  symlink('l', 'd'),
];

/** Unpacks `upper` over `lower` as overlayfs keeps it and as a whole tree does, and gives what users see of each. */
async function both(upper: readonly MemberSpec[]): Promise<{ overlay: string[]; tree: string[] }> {
  using base = makeTarget();
  using top = makeTarget();
  using whole = makeTarget();
  await base.unpack(layer(...lower));
  await top.unpack(layer(...upper));
  const merged = `${top.outside}/../merged`;
  mkdirSync(merged);
  const close = atExit(() => unmount(merged, MNT_DETACH));
  mount({ source: 'overlay', target: merged, type: 'overlay', data: `lowerdir=${top.path}:${base.path}` });
  try {
    await whole.unpack(layer(...lower), { whiteouts: 'delete' });
    await whole.unpack(layer(...upper), { whiteouts: 'delete' });
    const options = { links: false };
    return { overlay: describeTree(merged, options), tree: describeTree(whole.path, options) };
  } finally {
    close();
  }
}

const names = (lines: readonly string[]) => lines.map((line) => line.split(' ')[0]?.slice(1));
const wh = (name: string): MemberSpec => ({ name });

const cases: readonly (readonly [what: string, upper: readonly MemberSpec[], left: readonly string[]])[] = [
  ['a file is gone', [wh('.wh.f')], ['d', 'd/one', 'd/sub', 'd/sub/three', 'd/two', 'g', 'l']],
  ['a directory is gone', [wh('.wh.d')], ['f', 'g', 'l']],
  [
    'a file in a directory is gone',
    [dir('d'), wh('d/.wh.one')],
    ['d', 'd/sub', 'd/sub/three', 'd/two', 'f', 'g', 'l'],
  ],
  [
    'a link is gone, not what it leads to',
    [wh('.wh.l')],
    ['d', 'd/one', 'd/sub', 'd/sub/three', 'd/two', 'f', 'g'],
  ],
  [
    'nothing of that name',
    [wh('.wh.absent')],
    ['d', 'd/one', 'd/sub', 'd/sub/three', 'd/two', 'f', 'g', 'l'],
  ],
  ['opaque, then files', [dir('d'), wh('d/.wh..wh..opq'), file('d/new')], ['d', 'd/new', 'f', 'g', 'l']],
  ['files, then opaque', [dir('d'), file('d/new'), wh('d/.wh..wh..opq')], ['d', 'd/new', 'f', 'g', 'l']],
  [
    'opaque over directories with own files',
    [dir('d'), dir('d/sub'), file('d/sub/mine'), file('d/one', 'mine'), wh('d/.wh..wh..opq')],
    ['d', 'd/one', 'd/sub', 'd/sub/mine', 'f', 'g', 'l'],
  ],
  [
    'opaque with an own file below a directory that the layer leaves out',
    [dir('d'), wh('d/.wh..wh..opq'), file('d/sub/mine')],
    ['d', 'd/sub', 'd/sub/mine', 'f', 'g', 'l'],
  ],
  ['deleted, then made again as a file', [wh('.wh.d'), file('d', 'x')], ['d', 'f', 'g', 'l']],
  [
    'deleted, then made again as a directory',
    [wh('.wh.d'), dir('d'), file('d/new')],
    ['d', 'd/new', 'f', 'g', 'l'],
  ],
  [
    'deleted, then made again by what is in it',
    [wh('.wh.d'), file('d/a/b')],
    ['d', 'd/a', 'd/a/b', 'f', 'g', 'l'],
  ],
  [
    'made, then deleted: a file',
    [file('f', 'mine'), wh('.wh.f')],
    ['d', 'd/one', 'd/sub', 'd/sub/three', 'd/two', 'f', 'g', 'l'],
  ],
  [
    'made, then deleted: a directory',
    [dir('d'), file('d/mine'), wh('.wh.d')],
    ['d', 'd/mine', 'f', 'g', 'l'],
  ],
  ['twice', [wh('.wh.f'), wh('.wh.f'), wh('.wh.d'), wh('.wh.d')], ['g', 'l']],
  ['a file over a directory', [file('d', 'x')], ['d', 'f', 'g', 'l']],
  [
    'a directory over a file',
    [dir('f'), file('f/x')],
    ['d', 'd/one', 'd/sub', 'd/sub/three', 'd/two', 'f', 'f/x', 'g', 'l'],
  ],
  ['a link over a directory', [symlink('d', 'f')], ['d', 'f', 'g', 'l']],
  [
    'a device 0/0 is a whiteout',
    [{ name: 'f', type: 'char', devMajor: 0, devMinor: 0 }],
    ['d', 'd/one', 'd/sub', 'd/sub/three', 'd/two', 'g', 'l'],
  ],
  [
    'whiteouts of AUFS for its own names',
    [dir('.wh..wh.orph'), file('.wh..wh.orph/x'), wh('.wh.d')],
    ['f', 'g', 'l'],
  ],
];

for (const [what, upper, left] of cases) {
  test(what, async () => {
    const { overlay, tree } = await both(upper);
    assert.deepEqual(names(overlay), left);
    assert.deepEqual(tree, overlay);
  });
}

test('what a whiteout is on disk', async () => {
  for (const xattrPrefix of ['trusted.overlay.', 'user.overlay.'] as const) {
    using target = makeTarget();
    await target.unpack(layer(wh('d/.wh..wh..opq'), wh('d/.wh.x'), wh('.wh.sub'), file('sub/a')), {
      xattrPrefix,
    });
    const { mode, rdevMajor, rdevMinor } = lstat(`${target.path}/d/x`);
    assert.deepEqual([mode & 0o170000, rdevMajor, rdevMinor], [S_IFCHR, 0, 0]);
    assert.deepEqual(lgetxattr(`${target.path}/d`, `${xattrPrefix}opaque`), Buffer.from('y'));
    assert.deepEqual(lgetxattr(`${target.path}/sub`, `${xattrPrefix}opaque`), Buffer.from('y'));
    assert.deepEqual(readdirSync(`${target.path}/d`), ['x']);
  }
});

test('in a whole tree, deleting a file leaves its other names', async () => {
  using target = makeTarget();
  await target.unpack(layer(...lower), { whiteouts: 'delete' });
  await target.unpack(layer(wh('.wh.f')), { whiteouts: 'delete' });
  assert.equal(readFileSync(`${target.path}/g`, 'utf8'), 'lower');
});

test('in a whole tree, a large layer of its own is told from a lower one', async () => {
  using target = makeTarget();
  mkdirSync(`${target.path}/d`);
  for (let i = 0; i < 3000; i++) writeFileSync(`${target.path}/d/lower${i}`, '');
  const own = Array.from({ length: 3000 }, (_, i) => file(`d/own${i}`, ''));
  await target.unpack(layer(dir('d'), ...own, wh('d/.wh..wh..opq')), { whiteouts: 'delete' });
  assert.deepEqual(
    readdirSync(`${target.path}/d`).sort(),
    own.map(({ name }) => String(name).slice(2)).sort(),
  );
});

test('a directory that was empty to begin with has nothing to hide', async () => {
  using target = makeTarget();
  await target.unpack(layer(dir('d'), file('d/x'), wh('d/.wh..wh..opq'), wh('.wh.d'), wh('.wh.gone')), {
    whiteouts: 'delete',
  });
  assert.deepEqual(names(describeTree(target.path)), ['d', 'd/x']);
});

test('a device 0/0 of a lower tree is not taken for a whiteout there', async () => {
  using target = makeTarget();
  mknodAt(AT_FDCWD, `${target.path}/n`, S_IFCHR, 0, 0);
  await target.unpack(layer(dir('n'), file('n/x')), { whiteouts: 'delete' });
  assert.deepEqual(readdirSync(`${target.path}/n`), ['x']);
});

test('in a user namespace whiteouts and files can be made, devices are left out', (t) => {
  using target = makeTarget();
  execFileSync('chmod', ['-R', 'a+rwX', `${target.path}/..`]);
  const script = `
    import { unpackLayer } from ${JSON.stringify(new URL('../../src/archive/unpack.ts', import.meta.url).href)};
    import { chunked, layer, file, dir } from ${JSON.stringify(new URL('./layer-tools.ts', import.meta.url).href)};
    const tar = layer(dir('d'), { name: 'd/.wh.x' }, { name: 'd/.wh..wh..opq' }, { name: 'null', type: 'char', devMajor: 1, devMinor: 3 }, file('f'));
    console.log(JSON.stringify(await unpackLayer(chunked(tar), ${JSON.stringify(target.path)}, { whiteouts: 'overlay', xattrPrefix: 'user.overlay.' })));`;
  let out: string;
  try {
    out = execFileSync(
      'unshare',
      ['--user', '--map-root-user', process.execPath, '--input-type=module', '-e', script],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
  } catch (error) {
    if (!/unshare/.test(String(error))) throw error;
    t.skip('this machine makes no user namespaces');
    return;
  }
  assert.match(out, /"entries":5/);
  assert.deepEqual(readdirSync(target.path).sort(), ['d', 'f']);
  assert.equal(lstat(`${target.path}/d/x`).mode & 0o170000, S_IFCHR);
  assert.deepEqual(lgetxattr(`${target.path}/d`, 'user.overlay.opaque'), Buffer.from('y'));
});
