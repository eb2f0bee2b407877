import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programOn } from '../../src/engine/own-command.ts';
import { DEFAULT_DATA_ROOT, DEFAULT_EXEC_ROOT, execRootFor } from '../../src/engine/root.ts';

test('a command that is suggested names the roots that are not taken unasked, quoted for a shell', () => {
  const program = (path: string, execRoot = execRootFor(path)) => programOn({ path, execRoot });
  assert.equal(program(DEFAULT_DATA_ROOT), 'tsengine');
  assert.equal(program(DEFAULT_DATA_ROOT, '/run/x'), 'tsengine --exec-root /run/x');
  assert.equal(program('/srv/data'), 'tsengine --data-root /srv/data');
  assert.equal(
    program('/srv/my data', DEFAULT_EXEC_ROOT),
    "tsengine --data-root '/srv/my data' --exec-root /run/tsengine",
  );
});
