import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { baseImageTar } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';
import { dockerArchive, makeImage, manyLayers } from '../helpers/images.ts';
import { makeFilesystem, type TestFilesystem } from '../helpers/loop.ts';
import { FULL } from '../helpers/scope.ts';
import { type TreeEntry, tarTree, treeDifferences } from '../helpers/tar-tree.ts';

/** Every way in which a program changes files, on files of the image's lowest layer. Perl is Debian's own, for setxattr(2). */
const CHANGES = `
set -e
echo written > /etc/issue.net
echo appended >> /etc/issue
chmod 0600 /etc/login.defs
chown 12:34 /etc/shells
perl -e '($f, $n, $v) = ("/etc/debian_version", "user.test", "value"); syscall($ARGV[0] + 0, $f, $n, $v, 5, 0) == 0 or die "setxattr: $!"' $([ $(uname -m) = aarch64 ] && echo 5 || echo 188)
mv /etc/profile /etc/profile.moved
mv /etc/skel /etc/skel.moved
rm /etc/fstab
rm -r /etc/profile.d
rm -r /usr/share/common-licenses
mkdir -m 0711 /usr/share/common-licenses
echo again > /usr/share/common-licenses/again
rm /etc/motd
echo another > /etc/motd
ln /etc/pam.conf /etc/pam.linked
truncate -s 10 /etc/bash.bashrc
truncate -s 100000000 /root/sparse
mkfifo /root/fifo
mknod /root/null c 1 3
ln -s /nowhere /root/symlink
printf 'new\\n' > /root/new
chmod 04755 /root/new
mkdir -p /srv/a/b/c
touch -d '1999-12-31 23:59:59.123456789 UTC' /srv/a/b/c/old
touch "/srv/$(printf 'not-\\377-utf8')"
`;

/** What `diff` says of that, but for the directory that was deleted and made again. A hard link more is no change of a file. */
const EXPECTED = `
C /etc
C /etc/bash.bashrc
C /etc/debian_version
D /etc/fstab
C /etc/issue
C /etc/issue.net
C /etc/login.defs
C /etc/motd
A /etc/pam.linked
D /etc/profile
D /etc/profile.d
A /etc/profile.moved
C /etc/shells
D /etc/skel
A /etc/skel.moved
A /etc/skel.moved/.bash_logout
A /etc/skel.moved/.bashrc
A /etc/skel.moved/.profile
C /root
A /root/fifo
A /root/new
A /root/null
A /root/sparse
A /root/symlink
C /srv
A /srv/a
A /srv/a/b
A /srv/a/b/c
A /srv/a/b/c/old
A /srv/not-\xff-utf8
C /usr
C /usr/share
C /usr/share/common-licenses
A /usr/share/common-licenses/again
`
  .trim()
  .split('\n');

/** What each container's init layer makes or touches, at a time of its own. */
const INIT_LAYER = new Set([
  ...['.', '.dockerenv', 'dev', 'dev/console', 'dev/pts', 'dev/shm', 'etc', 'etc/hostname', 'etc/hosts'],
  ...['etc/mtab', 'etc/resolv.conf', 'proc', 'sys'],
]);

/** On vfs 40 and 128 whole copies of Debian take minutes: in a full run, as all depths; else one that neither driver has at its ends. */
const DEPTHS = { overlay2: FULL ? [1, 40, 128] : [128], vfs: FULL ? [1, 40, 128] : [3] };

for (const driver of ['overlay2', 'vfs'] as const) {
  describe(`the Debian image on ${driver}, changed in every way`, () => {
    let cli: Cli;
    let store: TestFilesystem | undefined;
    let folder: string;
    let base: Buffer;
    before(async () => {
      folder = mkdtempSync(`${tmpdir()}/tsengine-cow-`);
      base = readFileSync(await baseImageTar());
      // 128 whole copies of Debian fit where copies share their blocks.
      if (driver === 'vfs') store = makeFilesystem('btrfs', { size: 20 * 1024 ** 3 });
      cli = openCli(driver, store?.path);
    });
    after(async () => {
      await cli[Symbol.asyncDispose]();
      store?.[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    });

    for (const depth of DEPTHS[driver]) {
      test(`over ${depth} layers: the image stays, diff is right, the commit equals the container`, async () => {
        const image = `deep:${depth}`;
        const changed = `changed-${depth}`;
        loadLayers(cli, `${folder}/image.tar`, base, depth, image);
        const before = await imageTree(cli, image);
        const layers = manyLayers(depth - 1);
        assert.ok(before.has('etc/issue') && (depth === 1 || before.has(`file-${layers.length - 1}`)));

        cli.ok(['run', '--name', changed, '--network', 'none', image, 'bash', '-c', CHANGES]);
        assert.deepEqual(diffLines(cli, changed), expectedDiff(before));
        assert.deepEqual(
          treeDifferences(before, await imageTree(cli, image), INIT_LAYER),
          [],
          'the image was touched',
        );

        cli.ok(['commit', changed, `committed:${depth}`]);
        const container = await exportTree(cli, changed);
        const committed = await imageTree(cli, `committed:${depth}`);
        assert.deepEqual(treeDifferences(container, committed, INIT_LAYER), []);
        assertChanged(before, committed);

        cli.ok(['rm', changed]);
        cli.ok(['rmi', `committed:${depth}`, image]);
        assert.deepEqual(cli.mounts(), []);
      });
    }
  });
}

/** Loads an image of `depth` layers, Debian the lowest. */
function loadLayers(cli: Cli, file: string, base: Buffer, depth: number, name: string): void {
  const image = makeImage([base, ...manyLayers(depth - 1)], { config: { config: { Cmd: ['bash'] } } });
  writeFileSync(file, dockerArchive([{ image, tags: [name] }]));
  assert.equal(cli.ok(['load', '-q', '-i', file]), `Loaded image: ${name}\n`);
}

/** The tree that a new container of the image has. */
async function imageTree(cli: Cli, image: string): Promise<Map<string, TreeEntry>> {
  const id = cli.ok(['create', image, 'true']).trim();
  try {
    return await exportTree(cli, id);
  } finally {
    cli.ok(['rm', id]);
  }
}

async function exportTree(cli: Cli, name: string): Promise<Map<string, TreeEntry>> {
  const [program = '', ...words] = cli.command;
  const child = spawn(program, [...words, 'export', name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const tree = await tarTree(child.stdout);
  const status = await new Promise((resolve) =>
    child.exitCode === null ? child.on('close', resolve) : resolve(child.exitCode),
  );
  assert.equal(status, 0);
  return tree;
}

/** `diff`, sorted; bytes that are no UTF-8 stay themselves. */
function diffLines(cli: Cli, name: string): string[] {
  const shown = cli.runBytes(['diff', name]).toString('latin1');
  return shown.trim().split('\n').sort();
}

/** A directory that was deleted and made again hides the lower one: every name that it had and has no more is gone. */
function expectedDiff(before: ReadonlyMap<string, TreeEntry>): string[] {
  const names = [...before.keys()].filter((name) => name.startsWith('usr/share/common-licenses/'));
  return [...EXPECTED, ...names.map((name) => `D /${name}`)].sort();
}

/** That the committed tree has what the script did, one fact a change. */
function assertChanged(before: ReadonlyMap<string, TreeEntry>, after: ReadonlyMap<string, TreeEntry>): void {
  const now = (name: string) => after.get(name) ?? assert.fail(`${name} is missing`);
  const then = (name: string) => before.get(name) ?? assert.fail(`${name} was not there before`);
  assert.notEqual(now('etc/issue').content, then('etc/issue').content);
  assert.equal(now('etc/login.defs').mode, '600');
  assert.equal(now('etc/login.defs').content, then('etc/login.defs').content);
  assert.equal(now('etc/shells').owner, '12:34');
  assert.equal(now('etc/debian_version').xattrs, `user.test=${Buffer.from('value').toString('hex')}`);
  assert.deepEqual({ ...now('etc/profile.moved') }, { ...then('etc/profile') });
  assert.deepEqual(now('etc/skel.moved/.bashrc'), then('etc/skel/.bashrc'));
  assert.equal(now('etc/pam.linked').content, now('etc/pam.conf').content);
  assert.ok(now('etc/pam.linked').link === 'etc/pam.conf' || now('etc/pam.conf').link === 'etc/pam.linked');
  assert.match(now('etc/bash.bashrc').content, /^10 /);
  assert.match(now('root/sparse').content, /^100000000 /);
  assert.equal(now('root/fifo').type, 'fifo');
  assert.deepEqual([now('root/null').type, now('root/null').device], ['char', '1:3']);
  assert.equal(now('root/symlink').link, '/nowhere');
  assert.equal(now('root/new').mode, '4755');
  assert.equal(now('srv/a/b/c/old').mtime, '946684799.123456789');
  assert.equal(now('usr/share/common-licenses').mode, '711');
  for (const name of [
    'etc/fstab',
    'etc/profile',
    'etc/profile.d',
    'etc/skel',
    'usr/share/common-licenses/GPL-2',
  ]) {
    assert.equal(after.has(name), false, `${name} is still there`);
  }
}
