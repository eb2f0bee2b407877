/** Upper directories of overlayfs, as the kernel writes them, become layers that make the same tree elsewhere. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { packOverlayDiff } from '../../src/archive/pack.ts';
import { unpackLayer } from '../../src/archive/unpack.ts';
import { TsengineError } from '../../src/errors.ts';
import { mknodAt } from '../../src/linux/at.ts';
import { MNT_DETACH, mount, unmount } from '../../src/linux/mount.ts';
import { AT_FDCWD, S_IFCHR } from '../../src/linux/stat.ts';
import { lsetxattr } from '../../src/linux/xattr.ts';
import { atExit } from '../helpers/loop.ts';
import { describeTree } from '../helpers/trees.ts';
import { gather, parseTar, tempDir } from './tar-tools.ts';

interface Overlay extends Disposable {
  readonly lower: string;
  readonly upper: string;
  readonly merged: string;
}

/** A mounted overlay over a small tree. */
function overlay(options: string): Overlay {
  const folder = tempDir();
  const at = (name: string) => `${folder.path}/${name}`;
  for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(at(name));
  const script = `
    mkdir -p etc/sub opt/a usr/bin; echo 1 > etc/one; echo 2 > etc/sub/two; echo 3 > opt/a/three; echo f > usr/bin/f
    ln usr/bin/f usr/bin/g; ln -s one etc/l; truncate -s 100K etc/big; mkfifo pipe`;
  execFileSync('sh', ['-c', script], { cwd: at('lower') });
  mount({
    source: 'overlay',
    target: at('merged'),
    type: 'overlay',
    data: `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}${options}`,
  });
  const close = atExit(() => {
    unmount(at('merged'), MNT_DETACH);
    folder[Symbol.dispose]();
  });
  return { lower: at('lower'), upper: at('upper'), merged: at('merged'), [Symbol.dispose]: close };
}

const changes = `
  echo changed > etc/one; rm etc/sub/two; mkdir etc/new; echo n > etc/new/file
  rm -r opt; mkdir opt; echo again > opt/b
  rm etc/l; ln -s elsewhere etc/l; chmod 600 etc/big; echo x >> usr/bin/f
  setfattr -n user.a -v b etc/new 2>/dev/null || true
  mkdir -p deep/er; echo d > deep/er/file; rm pipe; ln deep/er/file deep/link`;

for (const xattrPrefix of ['trusted.overlay.', 'user.overlay.'] as const) {
  test(`every change a container makes comes out again (${xattrPrefix})`, async () => {
    using made = overlay(xattrPrefix === 'user.overlay.' ? ',userxattr' : ',redirect_dir=off,metacopy=off');
    execFileSync('sh', ['-c', changes], { cwd: made.merged });
    const tar = await gather(packOverlayDiff(made.upper, { xattrPrefix }));
    const names = parseTar(tar).members.map(({ entry }) => `${entry.name}`);
    assert.ok(names.includes('etc/sub/.wh.two'));
    assert.ok(names.includes('.wh.pipe'));
    assert.deepEqual(
      names.filter((name) => name.startsWith('opt')),
      ['opt', 'opt/.wh..wh..opq', 'opt/b'],
    );
    for (const { entry } of parseTar(tar).members) {
      for (const key of entry.xattrs.keys()) assert.ok(!key.includes('overlay'), key);
    }
    // Over a copy of the lower tree as another driver has it.
    using whole = tempDir();
    execFileSync('cp', ['-a', `${made.lower}/.`, whole.path]);
    await unpackLayer(gatheredAgain(tar), whole.path, { whiteouts: 'delete' });
    assert.deepEqual(describeTree(whole.path, { links: false }), describeTree(made.merged, { links: false }));
    // And once more as an upper directory: the same layer comes out.
    using upper = tempDir();
    await unpackLayer(gatheredAgain(tar), upper.path, { whiteouts: 'overlay', xattrPrefix });
    assert.ok((await gather(packOverlayDiff(upper.path, { xattrPrefix }))).equals(tar));
  });
}

async function* gatheredAgain(tar: Buffer): AsyncGenerator<Buffer> {
  yield tar;
}

test('whiteouts are the same whoever made them and when, and are no hard links', async () => {
  const tars: Buffer[] = [];
  for (const when of ['2001-01-01', '2002-02-02']) {
    using upper = tempDir();
    for (const name of ['x', 'y']) {
      mknodAt(AT_FDCWD, `${upper.path}/${name}`, S_IFCHR, 0, 0);
      execFileSync('touch', ['-h', '-d', when, `${upper.path}/${name}`]);
    }
    // The kernel makes whiteouts as links of one inode.
    execFileSync('ln', [`${upper.path}/x`, `${upper.path}/z`]);
    tars.push(await gather(packOverlayDiff(upper.path)));
  }
  assert.ok(tars[0]?.equals(tars[1] ?? Buffer.alloc(0)));
  const { members } = parseTar(tars[0] ?? Buffer.alloc(0));
  assert.deepEqual(
    members.map(({ entry }) => [`${entry.name}`, entry.type, entry.size]),
    [
      ['.wh.x', 'file', 0],
      ['.wh.y', 'file', 0],
      ['.wh.z', 'file', 0],
    ],
  );
});

test('a whiteout in an attribute, as kernels from 6.7 on may write it', async () => {
  using upper = tempDir();
  writeFileSync(`${upper.path}/gone`, '');
  lsetxattr(`${upper.path}/gone`, 'trusted.overlay.whiteout', Buffer.from('y'));
  writeFileSync(`${upper.path}/full`, 'x');
  lsetxattr(`${upper.path}/full`, 'trusted.overlay.whiteout', Buffer.from('y'));
  const { members } = parseTar(await gather(packOverlayDiff(upper.path)));
  assert.deepEqual(
    members.map(({ entry }) => `${entry.name}`),
    ['full', '.wh.gone'],
  );
});

for (const [options, change, attribute] of [
  [',metacopy=on', 'chmod 640 etc/big', 'metacopy'],
  [',redirect_dir=on', 'mv etc renamed', 'redirect'],
] as const) {
  test(`an upper directory with ${attribute} is refused`, async () => {
    using made = overlay(options);
    execFileSync('sh', ['-c', change], { cwd: made.merged });
    await assert.rejects(gather(packOverlayDiff(made.upper)), (error) => {
      assert.ok(error instanceof TsengineError);
      assert.equal(error.code, 'Unavailable');
      const path = attribute === 'metacopy' ? 'etc/big' : 'renamed';
      const rest = 'part of it is in a lower layer, and this directory alone is no layer';
      assert.equal(error.message, `"${path}" has trusted.overlay.${attribute}: ${rest}`);
      return true;
    });
  });
}
