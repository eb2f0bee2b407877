/** The order of system calls by which names, containers and commits become durable, as strace sees it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { testBundle } from '../helpers/bundle.ts';
import { CONTAINER_OPERATIONS } from './no-loss/operations.ts';
import { openStage, runProgram, type Stage } from './no-loss/stage.ts';

const skip = spawnSync('strace', ['-V']).status === 0 ? false : 'strace is not installed';
let stage: Stage;
before(async () => {
  stage = openStage('overlay2', { 'sync-layers': true });
  await CONTAINER_OPERATIONS.find(({ name }) => name === 'commit')?.prepare(stage);
});
after(async () => await stage[Symbol.asyncDispose]());

/** The renames and syncs of a command that succeeded, in the order of their ends. */
async function trace(words: readonly string[]): Promise<string[]> {
  const file = `${stage.base}/trace`;
  const calls = 'trace=rename,renameat,renameat2,fsync,fdatasync,syncfs';
  const strace = ['strace', '-f', '-y', '-e', calls, '-o', file];
  const { code, stderr } = await runProgram([...strace, ...testBundle().command, ...stage.globals, ...words]);
  assert.equal(code, 0, stderr);
  return wholeCalls(readFileSync(file, 'utf8')).filter((line) => / = 0$/.test(line));
}

/** The lines of a trace, where a call that strace tells in two parts, because another thread's came between, is one again. */
function wholeCalls(text: string): string[] {
  const begun = new Map<string, string>();
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    const [thread = ''] = line.split(' ', 1);
    const [, beginning] = /^(.*) <unfinished \.\.\.>$/.exec(line) ?? [];
    const [, end] = /<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? [];
    if (beginning !== undefined) begun.set(thread, beginning);
    else lines.push(end === undefined ? line : `${begun.get(thread) ?? ''}${end}`);
  }
  return lines;
}

/** Asserts that lines of these kinds come, in this order, each after the one before. */
function inOrder(lines: readonly string[], ...kinds: readonly RegExp[]): void {
  let at = -1;
  for (const kind of kinds) {
    const next = lines.findIndex((line, index) => index > at && kind.test(line));
    assert.ok(next > at, `${kind} after line ${at}:\n${lines.join('\n')}`);
    at = next;
  }
}

const NAMES = [
  /fsync\(\d+<[^>]*layerdb\/tmp\/tsengine\.file-/,
  /rename.*layerdb\/tmp\/tsengine\.file-[^"]*", .*repositories\.json"/,
  /fsync\(\d+<[^>]*\/image\/overlay2>/,
];

test('tag: the file, its name, its folder', { skip }, async () => {
  inOrder(await trace(['tag', 'small', 'tagged:1']), ...NAMES);
});

test('create: the records, the layer, the name of the container, its folder', { skip }, async () => {
  const lines = await trace(['create', '--name', 'durable', '--network', 'none', 'small', 'true']);
  inOrder(
    lines,
    /rename.*layerdb\/tmp\/tsengine-[^"]*", .*layerdb\/mounts\//,
    /fsync\(\d+<[^>]*layerdb\/mounts>/,
    /fsync\(\d+<[^>]*\.new-[0-9a-f]{64}\/config\.v2\.json>/,
    /fsync\(\d+<[^>]*\.new-[0-9a-f]{64}>/,
    /rename.*containers\/\.new-/,
    /fsync\(\d+<[^>]*\/containers>/,
  );
  inOrder(lines, /fsync\(\d+<[^>]*hostconfig\.json>/, /rename.*containers\/\.new-/);
});

test('start: the changed record replaces the old one when it is on disk', { skip }, async () => {
  const record = [
    /fsync\(\d+<[^>]*\.tmp-config\.v2\.json/,
    /rename.*\.tmp-config\.v2\.json[^"]*", .*config\.v2\.json"/,
  ];
  inOrder(
    await trace(['start', '-a', 'durable']),
    ...record,
    /fsync\(\d+<[^>]*containers\/[0-9a-f]{64}>/,
    ...record,
  );
});

test('commit: the data, the layer, the image, its name', { skip }, async () => {
  inOrder(
    await trace(['commit', 'one', 'committed:1']),
    /syncfs/,
    /rename.*layerdb\/tmp\/tsengine-[^"]*", .*layerdb\/sha256\//,
    /fsync\(\d+<[^>]*layerdb\/sha256>/,
    /rename.*layerdb\/tmp\/tsengine\.file-[^"]*", .*imagedb\/content\/sha256\//,
    /fsync\(\d+<[^>]*imagedb\/content\/sha256>/,
    ...NAMES,
  );
});

test('rm: the container is gone for good before anything of it is removed', { skip }, async () => {
  inOrder(
    await trace(['rm', 'durable']),
    /rename.*containers\/[0-9a-f]{64}", .*containers\/\.old-/,
    /fsync\(\d+<[^>]*\/containers>/,
    /rename.*layerdb\/mounts\//,
  );
});
