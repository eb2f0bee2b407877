/** `stop` of several containers, as Docker does it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';

let cli: Cli;
before(async () => {
  cli = openCli('overlay2');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
});
after(async () => await cli[Symbol.asyncDispose]());

const NAMES = ['one', 'two', 'three', 'four', 'five', 'six'];
const DEAF = ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'];

test('containers that do not want to stop are waited for together; names come in the order given', async () => {
  for (const name of NAMES)
    cli.ok(['run', '-d', '--name', name, ...(name === 'four' ? ['--rm'] : []), 'tiny', ...DEAF]);
  const id = cli.ok(['ps', '-q', '--no-trunc', '--filter', 'name=two']).trim();
  const [program = '', ...words] = cli.command;
  const given = ['six', 'nosuch', 'one', 'two', id, 'three', 'four', 'five', 'one'];
  const child = spawn(program, [...words, 'stop', '-t', '3', ...given]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const began = Date.now();
  const [code] = await once(child, 'close');
  const seconds = (Date.now() - began) / 1000;
  assert.equal(code, 1);
  assert.equal(
    stdout,
    given
      .filter((name) => name !== 'nosuch')
      .map((name) => `${name}\n`)
      .join(''),
  );
  assert.equal(stderr, 'tsengine: No such container: nosuch\n');
  assert.ok(seconds >= 3 && seconds < 9, `took ${seconds} s`);
  assert.equal(cli.ok(['ps', '-q']), '');
  const statuses = cli
    .ok(['ps', '-a', '--format', '{{.Names}} {{.Status}}'])
    .trim()
    .split('\n')
    .map((line) => line.split(' ').slice(0, 3).join(' '));
  assert.deepEqual(
    statuses,
    ['six', 'five', 'three', 'two', 'one'].map((name) => `${name} Exited (137)`),
  );
  assert.deepEqual(cli.mounts(), []);
});

test('those that stop at once are stopped in turn, however many', () => {
  const names = Array.from({ length: 8 }, (_, index) => `quick${index}`);
  for (const name of names)
    cli.ok([
      'run',
      '-d',
      '--name',
      name,
      'tiny',
      'sh',
      '-c',
      'trap "exit 5" TERM; while :; do sleep 0.1; done',
    ]);
  assert.equal(cli.ok(['stop', ...names]), names.map((name) => `${name}\n`).join(''));
  assert.equal(cli.ok(['ps', '-aq', '--filter', 'exited=5']).trim().split('\n').length, names.length);
  assert.equal(cli.ok(['stop', ...names]), names.map((name) => `${name}\n`).join(''));
});
