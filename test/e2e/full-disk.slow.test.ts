/**
 * Filesystems that are full for real, to the last byte: what needs space fails in one line and leaves all as it was; what
 * frees space works; and afterwards everything works again.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { hasErrno } from '../../src/errors.ts';
import { dockerArchive, makeImage, tarOf } from '../helpers/images.ts';
import { type FilesystemType, makeFilesystem } from '../helpers/loop.ts';
import { inFullRuns } from '../helpers/scope.ts';
import { signature, smallRootfs } from './no-loss/operations.ts';
import { openStage } from './no-loss/stage.ts';

const MIB = 1024 * 1024;

/** Bytes that no filesystem makes smaller. */
function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 12345;
  for (let at = 0; at < size; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

/** Fills a filesystem: large pieces first, then small ones, until not one byte more fits. Never more than a gigabyte. */
function fill(folder: string): void {
  mkdirSync(folder, { recursive: true });
  let number = 0;
  for (const size of [MIB, 64 * 1024, 4096, 512, 1]) {
    const piece = noise(Math.max(size, 4)).subarray(0, size);
    for (let written = 0; written < 1024 * MIB; written += Math.max(size, 64)) {
      if (!fits(`${folder}/fill-${number++}`, piece)) break;
      // Files of a few bytes lie in the metadata: some hundred are enough to see that it is full.
      if (size <= 512 && number > 3000) break;
    }
  }
}

/** Writes a file; `false` when there is no space for its name or its content. */
function fits(path: string, content: Buffer): boolean {
  try {
    const fd = openSync(path, 'w');
    try {
      writeSync(fd, content);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOSPC')) return false;
    throw error;
  }
}

const FULL = /^tsengine: [^\n]*no space left on device[^\n]*\n$/;
const big = (salt: string, mebibytes: number) =>
  makeImage([
    tarOf([
      { name: 'etc/' },
      ...Array.from({ length: mebibytes }, (_, index) => ({
        name: `etc/${salt}-${index}`,
        content: Buffer.concat([Buffer.from(salt), noise(MIB)]),
      })),
    ]),
  ]);

const CASES: readonly (readonly [FilesystemType, string, number])[] = [
  ['ext4', 'overlay2', 96],
  ['ext4', 'vfs', 96],
  ['btrfs', 'vfs', 160],
  ['btrfs', 'btrfs', 160],
];

/** Waits until the space of deleted subvolumes is free again: the kernel clears them away by and by. */
function freed(path: string, driver: string): void {
  if (driver !== 'btrfs') return;
  // What is written wakes whoever clears away.
  for (const what of ['filesystem', 'subvolume', 'filesystem'])
    execFileSync('btrfs', [what, 'sync', path], { stdio: 'pipe' });
}

for (const [type, driver, size] of CASES) {
  const skip = type === 'ext4' && driver === 'vfs' && inFullRuns('vfs on btrfs in every run');
  test(`${driver} on ${type}, full to the last byte`, { skip }, async () => {
    // Without blocks that only root may use: we are root.
    const mkfs = type === 'ext4' ? ['-m', '0'] : ['--mixed'];
    const mount = type === 'btrfs' ? 'commit=1' : 'defaults';
    using filesystem = makeFilesystem(type, { size: size * MIB, mkfs, mount });
    await using stage = openStage(driver, { 'sync-layers': true }, `${filesystem.path}/data`);
    const { base } = stage;
    writeFileSync(`${base}/small.tar`, smallRootfs());
    writeFileSync(`${base}/big.tar`, dockerArchive([{ image: big('big', 12), tags: ['big:1'] }]));
    writeFileSync(`${base}/huge.tar`, dockerArchive([{ image: big('huge', size), tags: ['huge:1'] }]));
    await stage.ok(['import', `${base}/small.tar`, 'small']);
    await stage.ok(['load', '-i', `${base}/big.tar`]);
    await stage.ok(['create', '--name', 'made', '--network', 'none', 'small', 'true']);
    const before = signature(await stage.settle('before'));

    // More than there is space for.
    const huge = await stage.run(['load', '-i', `${base}/huge.tar`]);
    assert.match(huge.stderr, FULL);
    assert.equal(huge.code, 1);
    freed(filesystem.path, driver);
    assert.equal(signature(await stage.settle('after a load that did not fit')), before);

    // What a container wrote there is space for once, and not twice.
    const half = `dd if=/dev/urandom of=/half bs=1048576 count=${size / 2} 2>/dev/null`;
    await stage.ok(['run', '--name', 'half', '--network', 'none', 'small', 'sh', '-c', half]);
    const twice = await stage.run(['commit', 'half', 'more:1']);
    assert.equal(
      twice.stderr,
      'tsengine: cannot commit container half: cannot write "half" into the new layer: no space left on device: remove what is not needed, and commit again\n',
    );
    freed(filesystem.path, driver);
    await stage.ok(['rm', 'half']);
    freed(filesystem.path, driver);
    assert.equal(signature(await stage.settle('after a commit that did not fit')), before);

    // The container fills it itself, and is told so; its end is recorded.
    const filling = ['run', '--name', 'filling', '--network', 'none', 'small'];
    const script = 'dd if=/dev/zero of=/filled bs=65536 count=4096 2>/tmp-err; echo $?';
    const filled = await stage.run([...filling, 'sh', '-c', script]);
    assert.equal(filled.stdout, '1\n', filled.stderr);
    assert.equal(filled.code, 0, filled.stderr);
    fill(`${filesystem.path}/filler`);
    // Whether or not its end could be written down, who asks is told the truth.
    const listed = await stage.ok(['ps', '-a', '--filter', 'name=filling', '--format', '{{.Status}}']);
    assert.match(listed, /^Exited \(0\)/);
    const full = signature(await stage.settle('full'));

    for (const words of [
      ['create', '--name', 'more', '--network', 'none', 'small', 'true'],
      ['commit', 'filling', 'more:1'],
      ['import', `${base}/small.tar`, 'more:1'],
      ['tag', 'small', 'another:1'],
      ['run', '--rm', '--network', 'none', 'small', 'true'],
    ]) {
      const { code, stderr } = await stage.run(words);
      // A name more may fit into a block that is there already.
      if (code === 0 && words[0] === 'tag') await stage.ok(['rmi', 'another:1']);
      else {
        assert.match(stderr, FULL, words.join(' '));
        assert.equal(code, words[0] === 'run' ? 125 : 1, words.join(' '));
      }
      assert.equal(signature(await stage.settle(words.join(' '))), full, words.join(' '));
    }

    // What frees space needs none.
    fill(`${filesystem.path}/filler`);
    assert.match(await stage.ok(['rmi', 'big:1']), /^Untagged: big:1\nDeleted: sha256:/);
    freed(filesystem.path, driver);
    fill(`${filesystem.path}/filler2`);
    await stage.ok(['rm', 'made', 'filling']);
    freed(filesystem.path, driver);
    const { tags, containers } = await stage.settle('after rmi and rm');
    assert.deepEqual([[...tags.keys()], containers.size], [['small:latest'], 0]);

    rmSync(`${filesystem.path}/filler`, { recursive: true });
    rmSync(`${filesystem.path}/filler2`, { recursive: true });
    await stage.ok(['load', '-i', `${base}/big.tar`]);
    assert.equal(await stage.ok(['run', '--rm', '--network', 'none', 'small', 'echo', 'works']), 'works\n');
    await stage.settle('in the end');
  });
}
