/**
 * Every writing call of every operation fails in turn, as on a full or broken disk: the command says one line and fails, or
 * has done its work; the store is whole either way, with nothing left over.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { testBundle } from '../helpers/bundle.ts';
import { failAtEach } from './no-loss/fail-at-each.ts';
import {
  CONTAINER_OPERATIONS,
  DRIVER_OPERATIONS,
  IMAGE_OPERATIONS,
  LARGE_LOAD,
  type Operation,
  RUN_OPERATIONS,
} from './no-loss/operations.ts';
import { openStage, runProgram, type Stage } from './no-loss/stage.ts';

/** `save -o` and `export -o`: the roots stay as they are, and the file is there whole or not at all. */
const WRITERS: readonly Operation[] = [
  {
    name: 'save -o',
    prepare: (stage) => {
      mkdirSync(`${stage.base}/out`);
      return IMAGE_OPERATIONS[0]?.prepare(stage) ?? Promise.resolve();
    },
    words: ({ base }) => ['save', '-o', `${base}/out/saved.tar`, 'first:1'],
  },
  {
    name: 'export -o',
    prepare: async (stage) => {
      mkdirSync(`${stage.base}/out`);
      await CONTAINER_OPERATIONS.find(({ name }) => name === 'rm')?.prepare(stage);
    },
    words: ({ base }) => ['export', '-o', `${base}/out/saved.tar`, 'one'],
  },
];

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
      const covered = await failAtEach(operation, 'overlay2', {
        check: ({ base }, { code }, at) => {
          // When nothing can be removed any more, neither can what was begun.
          if (/unlink|\+/.test(at)) return;
          const left = readdirSync(`${base}/out`).filter((name) => code !== 0 || name !== 'saved.tar');
          if (code === 0 || !existsSync(`${base}/out/saved.tar`)) assert.deepEqual(left, [], at);
        },
      });
      t.diagnostic(covered);
    });
  }
});

// The stores' steps are the same on every driver: only the driver's own differ.
describe('a disk that is full or broken, on vfs', () => {
  for (const operation of DRIVER_OPERATIONS) {
    test(operation.name, async (t) => {
      t.diagnostic(await failAtEach(operation, 'vfs', { lasting: false }));
    });
  }
});

describe('standard output that takes nothing', () => {
  let stage: Stage;
  before(async () => {
    stage = openStage('overlay2');
    await CONTAINER_OPERATIONS.find(({ name }) => name === 'rm')?.prepare(stage);
    await stage.ok([
      'run',
      '--name',
      'two',
      '--network',
      'none',
      'small',
      'sh',
      '-c',
      'echo out; echo err >&2',
    ]);
  });
  after(async () => await stage[Symbol.asyncDispose]());

  const shell = (script: string, words: readonly string[]) =>
    runProgram(['sh', '-c', script, 'sh', ...testBundle().command, ...stage.globals, ...words]);
  const COMMANDS: readonly (readonly [code: number, ...words: string[]])[] = [
    [1, 'images'],
    [1, 'ps', '-a'],
    [1, 'info'],
    [1, 'inspect', 'two'],
    [1, 'history', 'small'],
    [1, 'diff', 'two'],
    [1, 'logs', 'two'],
    [1, 'save', 'small'],
    [1, 'export', 'two'],
    [125, 'run', '--rm', '--network', 'none', 'small', 'echo', 'hello'],
  ];
  for (const [code, ...words] of COMMANDS) {
    test(`${words[0]}: one line and a failure on a full device`, async () => {
      // `diff` of what changed nothing writes nothing.
      if (words[0] === 'diff')
        await stage.ok(['run', '--name', 'three', '--network', 'none', 'small', 'sh', '-c', 'echo >/new']);
      const last = words[0] === 'diff' ? ['diff', 'three'] : words;
      const ended = await shell('exec "$@" >/dev/full', last);
      assert.match(ended.stderr, /^tsengine: [^\n]*no space left on device[^\n]*\n$/);
      assert.equal(ended.code, code);
      await stage.settle(last.join(' '));
    });
    test(`${words[0]}: quiet when its reader has gone`, async () => {
      const ended = await shell('{ "$@"; echo $? >&2; } | true', words);
      assert.match(ended.stderr, /^(141|0|125|1)\n$/);
      await stage.settle(words.join(' '));
    });
  }
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
