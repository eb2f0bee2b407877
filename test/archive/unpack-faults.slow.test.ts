/** What goes wrong around a layer: sources that break, disks that fill, calls that fail, threads that die. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { unpackLayer } from '../../src/archive/unpack.ts';
import { errorFromMessage, errorToMessage } from '../../src/archive/unpack-errors.ts';
import { hasErrno, TsengineError } from '../../src/errors.ts';
import { SyscallError } from '../../src/linux/errno.ts';
import { armFaults, callCounts } from '../../src/linux/fault.ts';
import { removeTree } from '../../src/linux/remove-tree.ts';
import { FROM_SOURCES } from '../helpers/compiled-tests.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import {
  chunked,
  dir,
  FILLER,
  file,
  hardlink,
  layer,
  type MemberSpec,
  makeTarget,
  symlink,
} from './layer-tools.ts';
import { tempDir } from './tar-tools.ts';

afterEach(() => armFaults([]));

const small: readonly MemberSpec[] = [
  dir('.'),
  { ...dir('d'), xattrs: new Map([['user.x', Buffer.from('1')]]) },
  file('d/a'),
  { name: 'big', data: Buffer.alloc(300_000, 7) },
  { name: 'sparse', size: 100_000, sparse: [{ offset: 51_200, length: 512 }], data: Buffer.alloc(512, 1) },
  hardlink('d/b', 'd/a'),
  symlink('l', 'd'),
  file('l/through'),
  file('made/by/us'),
  { name: 'p', type: 'fifo', mode: 0o600 },
  { name: '.wh.gone' },
  { name: 'd/.wh..wh..opq' },
  file('gone'),
  { name: '.wh..wh.plnk/1', data: 'x' },
  hardlink('y', '.wh..wh.plnk/1'),
];

const openFiles = () => readdirSync('/proc/self/fd').length;
const threads = () => readdirSync('/proc/self/task').length;

/** Members of 100 kB; a layer of more than fifty goes through the worker. */
async function* manyChunks(count: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < count; i++)
    yield layer({ name: `f${i}`, data: Buffer.alloc(100_000) }).subarray(0, -1024);
}

test('each call that fails ends in one line, and nothing stays open', async () => {
  const calls = [
    'openat',
    'openat2',
    'mkdirat',
    'mknodat',
    'symlinkat',
    'linkat',
    'unlinkat',
    'write',
    'ftruncate',
    'fchown',
    'fchmod',
    'fchownat',
    'fchmodat',
    'utimensat',
    'futimens',
    'fsetxattr',
    'statx',
    'readdir',
  ];
  const seen = new Set<string>();
  for (const whiteouts of ['overlay', 'files', 'delete'] as const) {
    for (const call of calls) {
      for (let nth = 1; ; nth++) {
        using target = makeTarget();
        using folder = tempDir();
        const tarSplit = `${folder.path}/split`;
        await target.unpack(layer(file('lower'), file('gone')), { whiteouts: 'delete' });
        const before = openFiles();
        armFaults([{ call, nth, action: 'EIO' }]);
        const error: unknown = await target.unpack(layer(...small), { whiteouts, tarSplit }).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        const hit = (callCounts().get(call) ?? 0) >= nth;
        armFaults([]);
        assert.equal(openFiles(), before, `${call} ${nth}`);
        target.assertOutsideUntouched();
        if (!hit) {
          assert.equal(error, undefined);
          break;
        }
        seen.add(call);
        assert.ok(error instanceof Error, `${call} ${nth}`);
        assert.match(error.message, /^[^\n]*input\/output error[^\n]*$/, `${call} ${nth}`);
        if (error instanceof TsengineError) {
          assert.equal(error.code, 'System');
          assert.match(error.message, /^cannot unpack "[^"]+": input\/output error \([a-z0-9_]+\)$/);
          assert.ok(hasErrno(error.cause, 'EIO'));
        }
        assert.equal(existsSync(tarSplit), false);
        removeTree(target.path);
      }
    }
  }
  // One that is never reached proves nothing.
  assert.deepEqual(
    calls.filter((call) => !seen.has(call)),
    [],
  );
});

test('a call that fails in the worker comes back with its message and its cause', async () => {
  using target = makeTarget();
  process.env.TSENGINE_FAULT = 'mkdirat:1:ENOSPC';
  try {
    await assert.rejects(target.unpack(layer(FILLER, dir('d'))), (error) => {
      assert.ok(error instanceof TsengineError);
      assert.equal(error.code, 'System');
      assert.equal(error.message, 'cannot unpack "d": no space left on device (mkdirat)');
      assert.ok(error.cause instanceof SyscallError);
      assert.deepEqual([error.cause.code, error.cause.syscall, error.cause.errno], ['ENOSPC', 'mkdirat', 28]);
      return true;
    });
  } finally {
    delete process.env.TSENGINE_FAULT;
  }
});

test('errors keep class, code, message and cause between threads', () => {
  const cause = new SyscallError('rename', 'EXDEV', { path: Buffer.from([0xff, 0x61]), dest: 'b' });
  const error = new TsengineError('Corrupt', 'a line', { cause, exitCode: 3 });
  const back = errorFromMessage(structuredClone(errorToMessage(error)));
  assert.ok(back instanceof TsengineError);
  assert.deepEqual([back.code, back.message, back.exitCode], ['Corrupt', 'a line', 3]);
  assert.ok(back.cause instanceof SyscallError);
  assert.deepEqual(
    [back.cause.message, back.cause.code, back.cause.path, back.cause.dest],
    [cause.message, 'EXDEV', cause.path, 'b'],
  );
  const odd = errorFromMessage(structuredClone(errorToMessage(new SyscallError('x', 9999))));
  assert.ok(odd instanceof SyscallError);
  assert.equal(odd.code, '9999');
  assert.equal(errorFromMessage(structuredClone(errorToMessage(new RangeError('r')))).message, 'r');
  assert.equal(errorFromMessage(structuredClone(errorToMessage('text'))).message, 'text');
});

test('a full disk is one line', async () => {
  using filesystem = makeFilesystem('tmpfs');
  execFileSync('mount', ['-o', 'remount,size=2M', filesystem.path]);
  for (const members of [
    [{ name: 'large', data: Buffer.alloc(4 << 20, 1) }],
    Array.from({ length: 100 }, (_, i) => ({ name: `f${i}`, data: Buffer.alloc(40_000, 1) })),
  ]) {
    using target = makeTarget(filesystem.path);
    const before = [openFiles(), threads()];
    await assert.rejects(target.unpack(layer(...members)), (error) => {
      assert.ok(error instanceof TsengineError);
      assert.match(error.message, /^cannot unpack "(large|f\d+)": no space left on device \(write\)$/);
      return true;
    });
    assert.deepEqual([openFiles(), threads()], before);
  }
});

test('archives that end early', async () => {
  const tar = layer(FILLER, file('a'), dir('b'));
  for (const cut of [100, 512, 700, 300_000, tar.length - 1024 - 100, tar.length - 1024 - 1600]) {
    using target = makeTarget();
    await assert.rejects(target.unpack(tar.subarray(0, cut)), (error) => {
      assert.ok(error instanceof TsengineError);
      assert.equal(error.code, 'Corrupt');
      assert.match(error.message, /^invalid tar archive: [^\n]*unexpected EOF after \d+ bytes$/);
      return true;
    });
    target.assertOutsideUntouched();
  }
});

test('a source that breaks: its error comes first, the worker ends', async () => {
  for (const count of [1, 60, 300]) {
    using target = makeTarget();
    const before = [openFiles(), threads()];
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield* manyChunks(count);
      throw new TsengineError('Unavailable', 'the registry went away');
    };
    await assert.rejects(
      unpackLayer(broken(), target.path, { whiteouts: 'overlay' }),
      /^TsengineError: the registry went away$/,
    );
    assert.deepEqual([openFiles(), threads()], before);
  }
});

test('a source is given back when the layer is refused, and no more is read', async () => {
  using target = makeTarget();
  let given = 0;
  let returned = false;
  const endless = async function* (): AsyncGenerator<Buffer> {
    try {
      yield layer(file('../x')).subarray(0, -1024);
      for (;;) {
        given++;
        yield Buffer.alloc(1 << 20);
      }
    } finally {
      returned = true;
    }
  };
  const before = threads();
  await assert.rejects(unpackLayer(endless(), target.path, { whiteouts: 'overlay' }), /outside of the layer/);
  assert.equal(returned, true);
  assert.ok(given < 50, `${given} chunks`);
  assert.equal(threads(), before);
});

test('a slow source and a slow worker both wait for each other', async () => {
  using target = makeTarget();
  const slow = async function* (): AsyncGenerator<Buffer> {
    let chunks = 0;
    for await (const chunk of manyChunks(60)) {
      if (++chunks % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 30));
      yield chunk;
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  };
  const { entries, size } = await unpackLayer(slow(), target.path, { whiteouts: 'overlay' });
  assert.deepEqual([entries, size], [60, 6_000_000]);
});

test('chunks of every size, also filled again and again, give the same files', async () => {
  const data = Buffer.from(Array.from({ length: 5_500_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
  const tar = layer({ name: 'x', data }, file('y'));
  for (const size of [511, 4096, 65_537, 1_000_003, 6 << 20]) {
    using target = makeTarget();
    const reused = Buffer.alloc(size);
    const source = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of chunked(tar, size)) {
        chunk.copy(reused);
        yield reused.subarray(0, chunk.length);
        reused.fill(0xee, 0, 100);
      }
    };
    await unpackLayer(source(), target.path, { whiteouts: 'overlay' });
    const { readFileSync } = await import('node:fs');
    assert.ok(readFileSync(`${target.path}/x`).equals(data), String(size));
  }
});

test('many layers at once', async () => {
  const targets = Array.from({ length: 6 }, () => makeTarget());
  try {
    const results = await Promise.all(
      targets.map((target) => unpackLayer(manyChunks(60), target.path, { whiteouts: 'delete' })),
    );
    for (const result of results) assert.equal(result.entries, 60);
  } finally {
    for (const target of targets) target[Symbol.dispose]();
  }
});

test('a process that is killed in the middle leaves no thread and nothing outside', () => {
  using target = makeTarget();
  const script = `
    import { unpackLayer } from ${JSON.stringify(new URL('../../src/archive/unpack.ts', import.meta.url).href)};
    import { chunked, layer, file, FILLER } from ${JSON.stringify(new URL('./layer-tools.ts', import.meta.url).href)};
    await unpackLayer(chunked(layer(FILLER, file('a'), file('b'), file('c'))), ${JSON.stringify(target.path)}, { whiteouts: 'overlay' });`;
  const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, ...FROM_SOURCES, TSENGINE_FAULT: 'fchown:3:kill' },
  });
  assert.equal(signal, 'SIGKILL');
  assert.deepEqual(readdirSync(target.path).sort(), ['a', 'b', 'filler']);
  target.assertOutsideUntouched();
});
