import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandYet, flagYet } from '../../src/cli/docker-only.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));

test('what Docker has and tsengine has not yet is told from what nobody has', () => {
  const says = (...words: string[]) => spawnSync(launcher, words, { encoding: 'utf8' }).stderr.split('\n')[0];
  const yet = 'Docker has it, tsengine does not yet';
  assert.equal(says('run', '--restart', 'always', 'x'), `unknown flag: --restart: ${yet}`);
  assert.equal(says('create', '-p', '80:80', 'x'), `unknown shorthand flag: 'p' in -p: ${yet}`);
  assert.equal(says('system', 'df'), `tsengine: 'system df' is not a tsengine command: ${yet}.`);
  assert.equal(says('run', '--nosuch', 'x'), 'unknown flag: --nosuch');
  assert.equal(
    says('run', '--data-root=/x', 'x'),
    'unknown flag: --data-root, which goes before the command',
  );
});

test('names are known where they belong', () => {
  assert.deepEqual(
    [
      commandYet('', 'exec'),
      commandYet('', 'nosuch'),
      commandYet('image', 'exec'),
      flagYet('ps', 'restart'),
    ].map((text) => text !== ''),
    [true, false, false, false],
  );
});
