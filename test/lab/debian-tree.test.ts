import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hookCommand } from '../../src/lab/debian-tree.ts';

test('a hook runs in a folder of any name', () => {
  const folder = mkdtempSync(join(tmpdir(), `lab it's $HOME "x" `));
  try {
    const script = join(folder, 'setup');
    writeFileSync(script, 'echo "$1"');
    // As mmdebstrap runs it.
    const said = execFileSync('sh', ['-c', hookCommand(script), 'exec', 'the tree'], { encoding: 'utf8' });
    assert.equal(said, 'the tree\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
