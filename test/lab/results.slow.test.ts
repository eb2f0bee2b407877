/** Disks for results that a hostile guest may leave: nothing outside of the folder is touched, and what is sound comes back. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Ext4Image } from '../../src/lab/ext4.ts';
import { collectResults, makeResultsDisk } from '../../src/lab/results.ts';
import { finishNode } from '../../src/lab/results-node.ts';
import { bringTree } from '../../src/lab/results-tree.ts';
import { withRoot } from '../../src/linux/open-directory.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { describeTree } from '../helpers/trees.ts';

let folder = '';
let count = 0;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-results-test-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A new folder in the test's own. */
function newFolder(): string {
  const path = join(folder, `${++count}/out`);
  mkdirSync(path, { recursive: true });
  return path;
}

/** An image with the files that `make` makes. */
function imageOf(make: (tree: string) => void, size = '16M'): string {
  const tree = newFolder();
  make(tree);
  const image = join(tree, '../image');
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-N', '10000', '-d', tree, image, size], {
    stdio: 'pipe',
  });
  return image;
}

/** Writes `after` wherever the image has `before`, as a guest can that writes to its disk itself. */
function patch(image: string, before: string, after: string): void {
  assert.equal(before.length, after.length);
  const bytes = readFileSync(image);
  let found = 0;
  for (let at = bytes.indexOf(before); at >= 0; at = bytes.indexOf(before, at + 1), found++)
    bytes.write(after, at);
  assert.ok(found > 0, before);
  writeFileSync(image, bytes);
}

/** Collects into a new folder two levels below one that is watched, and must fail. Gives the folder and the line. */
async function damaged(image: string): Promise<{ readonly out: string; readonly line: string }> {
  const out = newFolder();
  const around = readdirSync(join(out, '..'));
  let line = '';
  await assert.rejects(collectResults(image, out), (error: Error) => {
    line = error.message;
    return true;
  });
  assert.match(line, /^cannot copy the results to [^\n]+$/);
  assert.deepEqual(readdirSync(join(out, '..')), around);
  return { out, line };
}

describe('results', () => {
  test('with names that lead out of the folder stay inside', async () => {
    const image = imageOf((tree) => {
      mkdirSync(join(tree, 'dir'));
      writeFileSync(join(tree, 'dir/QQQQQQescap'), 'hostile');
      writeFileSync(join(tree, 'dir/sound'), 'sound');
      writeFileSync(join(tree, 'ZZZZ'), 'hostile');
    });
    patch(image, 'QQQQQQescap', '../../escap');
    patch(image, 'ZZZZ', 'a\0/b');
    const { out, line } = await damaged(image);
    assert.match(line, /it is no name for a file, and 1 more$/);
    assert.equal(readFileSync(join(out, 'dir/sound'), 'utf8'), 'sound');
    assert.deepEqual(readdirSync(out), ['dir']);
  });

  test('with a symbolic link and a file, or a folder, of one name are not written through the link', async () => {
    const target = join(newFolder(), 'target');
    const inside = newFolder();
    const image = imageOf((tree) => {
      symlinkSync(target, join(tree, 'file1'));
      writeFileSync(join(tree, 'file2'), 'hostile');
      symlinkSync(inside, join(tree, 'fold1'));
      mkdirSync(join(tree, 'fold2'));
      writeFileSync(join(tree, 'fold2/in it'), 'hostile');
    });
    patch(image, 'file2', 'file1');
    patch(image, 'fold2', 'fold1');
    const { line } = await damaged(image);
    assert.match(line, /its name is there twice/);
    assert.equal(existsSync(target), false);
    assert.deepEqual(readdirSync(inside), []);
  });

  test('are not written through what an earlier run left', async () => {
    const inside = newFolder();
    const target = join(inside, 'target');
    const out = newFolder();
    symlinkSync(inside, join(out, 'folder'));
    symlinkSync(target, join(out, 'file'));
    const image = imageOf((tree) => {
      mkdirSync(join(tree, 'folder'));
      writeFileSync(join(tree, 'folder/a'), 'new');
      writeFileSync(join(tree, 'file'), 'new');
    });
    assert.equal(await collectResults(image, out), undefined);
    assert.deepEqual(readdirSync(inside), []);
    assert.equal(readFileSync(join(out, 'folder/a'), 'utf8'), 'new');
    assert.equal(readFileSync(join(out, 'file'), 'utf8'), 'new');
  });

  test('are not given to a file that somebody puts in the place of a fifo or a link', () => {
    const own = newFolder();
    const secret = join(own, 'secret');
    writeFileSync(secret, 'root only', { mode: 0o600 });
    symlinkSync(secret, join(own, 'to it'));
    linkSync(secret, join(own, 'a name of it'));
    execFileSync('mkfifo', ['-m', '600', join(own, 'fifo')]);
    linkSync(join(own, 'fifo'), join(own, 'another name'));
    const times = { sec: 1000, nsec: 0 };
    const node = (mode: number) => ({ mode, uid: 65534, gid: 65534, atime: times, mtime: times });
    withRoot(own, (fd) => {
      for (const name of ['to it', 'a name of it', 'another name'])
        assert.throws(() => finishNode(fd, Buffer.from(name), node(0o010777), true), {
          message: 'something else was put in its place',
        });
      // A symbolic link's own owner and time are not those of what it leads to; a hard link in its place is refused.
      finishNode(fd, Buffer.from('to it'), node(0o120777), true);
      assert.throws(() => finishNode(fd, Buffer.from('a name of it'), node(0o120777), true));
      execFileSync('mkfifo', ['-m', '600', join(own, 'ours')]);
      finishNode(fd, Buffer.from('ours'), node(0o010640), true);
    });
    for (const name of ['secret', 'fifo']) {
      const { mode, uid, mtimeMs } = lstatSync(join(own, name));
      assert.deepEqual([mode & 0o777, uid, mtimeMs === 1_000_000], [0o600, 0, false], name);
    }
    const link = lstatSync(join(own, 'to it'));
    assert.deepEqual([link.uid, link.mtimeMs], [65534, 1_000_000]);
    const made = lstatSync(join(own, 'ours'));
    assert.deepEqual([made.mode & 0o777, made.uid, made.mtimeMs], [0o640, 65534, 1_000_000]);
  });

  test('with a folder in itself come to an end', async () => {
    const image = imageOf((tree) => {
      mkdirSync(join(tree, 'outer/inner'), { recursive: true });
      writeFileSync(join(tree, 'sound'), 'sound');
    });
    execFileSync('debugfs', ['-w', '-R', 'link outer outer/again', image], { stdio: 'pipe' });
    const { out, line } = await damaged(image);
    assert.match(line, /outer\/again: it is a directory of two names$/);
    assert.equal(readFileSync(join(out, 'sound'), 'utf8'), 'sound');
  });

  test('with a set-ID bit of a folder alone leave it behind, which is told', async () => {
    const image = imageOf((tree) => {
      mkdirSync(join(tree, 'shared'));
      chmodSync(join(tree, 'shared'), 0o2775);
    });
    const out = newFolder();
    assert.equal(await collectResults(image, out), `not copied to ${out}: the set-ID bit of shared`);
    assert.equal(lstatSync(join(out, 'shared')).mode & 0o7777, 0o775);
  });

  test('with more that is damaged than anybody reads are given up at ten thousand losses', async () => {
    // A block of a directory that has 85 names "/", and a folder of many such blocks.
    const block = Buffer.alloc(1024);
    for (let at = 0; at < 85; at++) {
      block.writeUInt32LE(12, at * 12);
      block.writeUInt16LE(at < 84 ? 12 : 16, at * 12 + 4);
      block.write('\x01\x01/', at * 12 + 6);
    }
    const image = imageOf((tree) => {
      writeFileSync(join(tree, 'dir'), Buffer.concat(Array.from({ length: 200 }, () => block)));
      writeFileSync(join(tree, 'sound'), 'sound');
    });
    execFileSync('debugfs', ['-w', '-R', 'set_inode_field dir mode 040755', image], { stdio: 'pipe' });
    const { out, line } = await damaged(image);
    assert.match(
      line,
      /: dir\/\/: it is no name for a file, and 9999 more; that is too much, and no more was looked for$/,
    );
    assert.equal(readFileSync(join(out, 'sound'), 'utf8'), 'sound');
  });

  test('take no more memory than is set for them: names count that are left behind, and so do bytes', async () => {
    const image = imageOf((tree) => {
      for (let at = 0; at < 50; at++) writeFileSync(join(tree, `file${at}`), '');
      writeFileSync(join(tree, 'socket'), '');
      for (let at = 0; at < 50; at++) linkSync(join(tree, 'socket'), join(tree, `socket${at}`));
    });
    execFileSync('debugfs', ['-w', '-R', 'set_inode_field socket mode 0140777', image], { stdio: 'pipe' });
    const bring = async (limits: Parameters<typeof bringTree>[3]) => {
      const { lost, left, isCut } = await bringTree(image, newFolder(), undefined, limits);
      return { lost: lost.count, why: lost.summary(), left: left.count, isCut };
    };
    assert.deepEqual(await bring({}), { lost: 0, why: '', left: 51, isCut: false });
    const few = await bring({ names: 80 });
    assert.match(few.why, /there are more than 80 names/);
    assert.deepEqual([few.lost, few.isCut], [21, false]);
    const cut = await bring({ names: 80, losses: 10 });
    assert.deepEqual([cut.lost, cut.isCut], [10, true]);
    assert.match((await bring({ pathBytes: 300 })).why, /all paths together have more than 300 bytes/);
  });

  test('have room for 4 GB and a million names', async () => {
    const folder = newFolder();
    const image = await makeResultsDisk(folder, { progress: () => undefined, signal: undefined });
    using disk = new Ext4Image(image);
    const { bytes, names } = disk.room();
    assert.ok(bytes >= 4 * 2 ** 30, `${bytes}`);
    assert.ok(names >= 1_000_000, `${names}`);
    assert.ok(lstatSync(image).blocks * 512 < 2 ** 20);
  });

  test('from damaged disks are an error of one line', async () => {
    const image = imageOf((tree) => writeFileSync(join(tree, 'file'), 'x'.repeat(100_000)));
    const set = (field: string, value: string): void => {
      execFileSync('debugfs', ['-w', '-R', `set_inode_field file ${field} ${value}`, image], {
        stdio: 'pipe',
      });
    };
    // The extent's first block: far outside.
    set('block[5]', '0x7fffffff');
    assert.match((await damaged(image)).line, /file: the list of its blocks is damaged$/);
    set('mode', '0170777');
    assert.match((await damaged(image)).line, /file: its type is unknown$/);
    const superblock = readFileSync(image);
    superblock.fill(0xff, 1024, 1024 + 0x38);
    writeFileSync(image, superblock);
    await damaged(image);
    writeFileSync(image, 'no file system');
    await damaged(image);
  });

  test('keep holes, links and times, and leave set-ID bits, devices and sockets behind, which is told', async () => {
    const image = imageOf((tree) => {
      writeFileSync(join(tree, 'sparse'), 'begin');
      truncateSync(join(tree, 'sparse'), 3 * 2 ** 30);
      linkSync(join(tree, 'sparse'), join(tree, 'same'));
      execFileSync('mkfifo', [join(tree, 'fifo')]);
      symlinkSync('x'.repeat(200), join(tree, 'long link'));
      writeFileSync(join(tree, 'program'), 'of root');
      chmodSync(join(tree, 'program'), 0o6755);
      utimesSync(join(tree, 'program'), 1e9, 2e9);
      mkdirSync(join(tree, 'shared'));
      chmodSync(join(tree, 'shared'), 0o2775);
    });
    execFileSync('debugfs', ['-w', '-R', 'mknod disk b 8 0', image], { stdio: 'pipe' });
    const out = newFolder();
    assert.equal(
      await collectResults(image, out),
      `not copied to ${out}: the set-ID bit of program, and 2 more`,
    );
    assert.equal(lstatSync(join(out, 'shared')).mode & 0o7777, 0o775);
    const [sparse, same] = [lstatSync(join(out, 'sparse')), lstatSync(join(out, 'same'))];
    assert.equal(sparse.size, 3 * 2 ** 30);
    assert.ok(sparse.blocks < 1000, `${sparse.blocks}`);
    assert.equal(same.ino, sparse.ino);
    assert.ok(lstatSync(join(out, 'fifo')).isFIFO());
    assert.equal(lstatSync(join(out, 'long link')).size, 200);
    const program = lstatSync(join(out, 'program'));
    assert.equal(program.mode & 0o7777, 0o755);
    assert.equal(program.mtime.getTime(), 2e12);
    assert.equal(existsSync(join(out, 'disk')), false);
  });

  test('of every kind come back as a kernel wrote them', async () => {
    const context = { progress: () => undefined, signal: undefined };
    const image = await makeResultsDisk(newFolder(), context);
    const mounted = newFolder();
    execFileSync('mount', ['-o', 'loop', image, mounted]);
    let expected: readonly string[] = [];
    try {
      const many = join(mounted, 'many');
      mkdirSync(many);
      // More than one block of names, which makes an index of them.
      for (let at = 0; at < 2000; at++) writeFileSync(join(many, `${'name'.repeat(10)}${at}`), '');
      // More pieces than an inode has room for.
      const pieces = openSync(join(mounted, 'pieces'), 'w');
      for (let at = 0; at < 1000; at++) writeSync(pieces, `${at}`, at * 12_288);
      closeSync(pieces);
      utimesSync(join(mounted, 'pieces'), 5e9, 5e9);
      execFileSync('fallocate', ['-l', '1M', join(mounted, 'reserved')]);
      execFileSync('mknod', [join(mounted, 'whiteout'), 'c', '0', '0']);
      symlinkSync('x'.repeat(300), join(mounted, 'long'));
      writeFileSync(Buffer.concat([Buffer.from(mounted), Buffer.from([0x2f, 0xff, 0x0a])]), 'no text');
      chownSync(join(mounted, 'many'), 100_000, 200_000);
      chmodSync(join(mounted, 'many'), 0o500);
      rmSync(join(mounted, 'lost+found'), { recursive: true });
      expected = describeTree(mounted, { directoryTimes: true });
    } finally {
      execFileSync('umount', [mounted]);
    }
    const out = newFolder();
    assert.equal(await collectResults(image, out), undefined);
    assert.deepEqual(describeTree(out, { directoryTimes: true }), expected);
    assert.ok(lstatSync(join(out, 'reserved')).blocks === 0);
  });

  test('that the disk had no room for are said to be incomplete, and what there is comes', async () => {
    const image = imageOf((tree) => writeFileSync(join(tree, 'before'), 'before'));
    const mounted = newFolder();
    execFileSync('mount', ['-o', 'loop', image, mounted]);
    try {
      assert.throws(
        () => execFileSync('cp', ['/dev/zero', join(mounted, 'zeros')], { stdio: 'pipe' }),
        /space/,
      );
    } finally {
      execFileSync('umount', [mounted]);
    }
    const out = newFolder();
    await assert.rejects(collectResults(image, out), {
      code: 'System',
      message: `the machine's /results was full (4 GB and a million names fit), and ${out} may lack what was written last`,
    });
    assert.deepEqual(readdirSync(out).sort(), ['before', 'zeros']);
  });

  test('that do not fit are refused before anything is written', async () => {
    const image = imageOf((tree) => writeFileSync(join(tree, 'file'), Buffer.alloc(4_000_000, 1)));
    using small = makeFilesystem('tmpfs');
    execFileSync('mount', ['-o', 'remount,size=2m', small.path]);
    await assert.rejects(collectResults(image, small.path), {
      message: `cannot copy the results to ${small.path}: ${small.path} has no room for them: they take 4 MB, and 3 MB are free`,
    });
    assert.deepEqual(readdirSync(small.path), []);
    // Over what is to be replaced they do.
    execFileSync('mount', ['-o', 'remount,size=5m', small.path]);
    for (const _ of [1, 2]) assert.equal(await collectResults(image, small.path), undefined);
  });

  test('are not copied any more when the caller wants an end', async () => {
    const folders = Array.from({ length: 60 }, (_, at) => `folder-${at}`);
    const image = imageOf((tree) => {
      for (const name of folders) {
        mkdirSync(join(tree, name));
        for (let at = 0; at < 100; at++) writeFileSync(join(tree, name, `${at}`), '');
      }
    });
    const reason = new Error('enough');
    await assert.rejects(collectResults(image, newFolder(), AbortSignal.abort(reason)), reason);
    const out = newFolder();
    const abort = new AbortController();
    const watch = setInterval(() => readdirSync(out).length > 0 && abort.abort(reason), 1);
    await assert
      .rejects(collectResults(image, out, abort.signal), reason)
      .finally(() => clearInterval(watch));
    // Files are made after the folders that come before them.
    const made = readdirSync(out, { recursive: true });
    assert.ok(made.length < 6060, `${made.length}`);
  });
});
