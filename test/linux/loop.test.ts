import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { attachLoop, configuresLoops, isLoopOf } from '../../src/linux/loop.ts';

test('a loop device is known by the file behind it, whatever that is called, and not by a name', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsengine-loop-'));
  try {
    const [file, moved] = [join(folder, 'file'), join(folder, 'moved')];
    writeFileSync(file, Buffer.alloc(4096));
    using loop = attachLoop(file);
    assert.equal(isLoopOf(loop.path, file), true);
    renameSync(file, moved);
    writeFileSync(file, Buffer.alloc(4096));
    assert.equal(isLoopOf(loop.path, file), false);
    assert.equal(isLoopOf(loop.path, moved), true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('kernels that attach loop devices in one step are told by their release', () => {
  for (const kernel of ['5.8.0', '5.10.0-28-amd64', '6.1', '7.2-rc1'])
    assert.ok(configuresLoops(kernel), kernel);
  for (const kernel of ['3.10.0', '4.19.0-26-amd64', '5.4.0-42-generic']) {
    assert.ok(!configuresLoops(kernel), kernel);
  }
});
