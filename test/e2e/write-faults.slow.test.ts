/**
 * Every writing call of every operation fails in turn, as on a full or broken disk: the command says one line and fails, or
 * has done its work; the store is whole either way, with nothing left over.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { testBundle } from '../helpers/bundle.ts';
import { inFullRuns } from '../helpers/scope.ts';
import { failAtEach } from './no-loss/fail-at-each.ts';
import {
  CONTAINER_OPERATIONS,
  DRIVER_OPERATIONS,
  IMAGE_OPERATIONS,
  LARGE_LOAD,
  RUN_OPERATIONS,
} from './no-loss/operations.ts';
import { openStage, runProgram, type Stage } from './no-loss/stage.ts';
import { checkWritten, WRITERS } from './no-loss/writers.ts';

describe('a disk that is full or broken', () => {
  for (const operation of [...IMAGE_OPERATIONS, ...CONTAINER_OPERATIONS, ...RUN_OPERATIONS]) {
    const exitCode = operation.name.startsWith('run') ? 125 : 1;
    test(operation.name, async (t) => {
      t.diagnostic(await failAtEach(operation, 'overlay2', { exitCode }));
    });
  }
  test(LARGE_LOAD.name, async (t) => {
    t.diagnostic(await failAtEach(LARGE_LOAD, 'overlay2', { workerStride: 13 }));
  });
  for (const operation of WRITERS) {
    test(operation.name, async (t) => {
      t.diagnostic(await failAtEach(operation, 'overlay2', { check: checkWritten }));
    });
  }
});

// The stores' steps are the same on every driver: only the driver's own differ.
describe('a disk that is full or broken, on vfs', () => {
  for (const operation of DRIVER_OPERATIONS) {
    const skip = !/^load |^rm$/.test(operation.name) && inFullRuns('load and rm in every run');
    test(operation.name, { skip }, async (t) => {
      t.diagnostic(await failAtEach(operation, 'vfs', { lasting: false }));
    });
  }
});

describe('standard output that takes nothing', () => {
  const NONE = ['--network', 'none', 'small'];
  let stage: Stage;
  before(async () => {
    stage = openStage('overlay2');
    await CONTAINER_OPERATIONS.find(({ name }) => name === 'rm')?.prepare(stage);
    await stage.ok(['run', '--name', 'two', ...NONE, 'sh', '-c', 'echo out; echo err >&2; echo >/new']);
    await stage.ok(['save', '-o', `${stage.base}/saved.tar`, 'small']);
  });
  after(async () => await stage[Symbol.asyncDispose]());

  const shell = (script: string, words: readonly string[]) =>
    runProgram(['sh', '-c', script, 'sh', ...testBundle().command, ...stage.globals, ...words]);
  /** Standard output is a pipe whose reader has gone before the command begins. */
  const unread = (words: readonly string[]) => {
    const pipe = `${stage.base}/pipe`;
    rmSync(pipe, { force: true });
    execFileSync('mkfifo', [pipe]);
    return shell(`exec 3<>${pipe} 4>${pipe} 3<&-; exec "$@" >&4 4>&-`, words);
  };
  const COMMANDS: readonly (readonly string[])[] = [
    ['images'],
    ['ps', '-a'],
    ['info'],
    ['version'],
    ['inspect', 'two'],
    ['history', 'small'],
    ['diff', 'two'],
    ['logs', 'two'],
    ['save', 'small'],
    ['export', 'two'],
    ['load', '-i', 'SAVED'],
    ['rmi', 'extra:1'],
    ['create', ...NONE, 'true'],
    ['run', '-d', ...NONE, 'true'],
    ['run', '--rm', ...NONE, 'echo', 'hello'],
  ];
  for (const command of COMMANDS) {
    const words = () => command.map((word) => (word === 'SAVED' ? `${stage.base}/saved.tar` : word));
    const name = command.slice(0, command[0] === 'run' ? 2 : 1).join(' ');
    test(`${name}: one line and a failure on a full device`, async () => {
      if (name === 'rmi') await stage.ok(['tag', 'small', 'extra:1']);
      const ended = await shell('exec "$@" >/dev/full', words());
      assert.match(ended.stderr, /^tsengine: [^\n]*no space left on device[^\n]*\n$/);
      // Of `run`, too: 125 would say that no container ran.
      assert.equal(ended.code, 1);
      await stage.settle(name);
    });
    test(`${name}: quiet when its reader has gone, as if SIGPIPE had ended it`, async () => {
      if (name === 'rmi') await stage.ok(['tag', 'small', 'extra:1']);
      const { code, signal, stderr } = await unread(words());
      assert.deepEqual({ code, signal, stderr }, { code: 141, signal: null, stderr: '' });
      await stage.settle(name);
    });
  }
  test('tag says nothing, and does not care', async () => {
    const words = ['tag', 'small', 'extra:1'];
    for (const ended of [await shell('exec "$@" >/dev/full', words), await unread(words)])
      assert.deepEqual([ended.code, ended.stderr], [0, '']);
  });
});

test('a file that cannot be written to its end is not left half', async () => {
  await using stage = openStage('overlay2');
  await IMAGE_OPERATIONS[0]?.prepare(stage);
  const small = `${stage.base}/small`;
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', small]);
  try {
    const { code, stderr } = await stage.run(['save', '-o', `${small}/saved.tar`, 'first:1']);
    assert.equal(code, 1);
    assert.match(stderr, /^tsengine: [^\n]*saved\.tar[^\n]*no space left on device[^\n]*\n$/);
    assert.deepEqual(readdirSync(small), []);
  } finally {
    execFileSync('umount', [small]);
  }
});
