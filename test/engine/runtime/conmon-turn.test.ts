import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { letConmonServe } from '../../../src/engine/runtime/conmon-turn.ts';
import { type RunDir, runDirOf } from '../../../src/engine/runtime/run-dir.ts';

/** A run folder with a control fifo. */
function folder(): RunDir & Disposable {
  const execRoot = mkdtempSync(`${tmpdir()}/ts-turn-`);
  const run = runDirOf(execRoot, 'c'.repeat(64));
  mkdirSync(run.path, { recursive: true });
  execFileSync('mkfifo', [run.control]);
  return { ...run, [Symbol.dispose]: () => rmSync(execRoot, { recursive: true }) };
}

test('it is waited until the line is taken, however long that takes', async () => {
  using run = folder();
  // Alive, and named after the container, as far as anybody can see.
  const reader = spawn('sh', ['-c', 'sleep 0.7; read -r line < "$1"; echo "$line"', run.id, run.control]);
  writeFileSync(run.monitorPid, String(reader.pid));
  const said = once(reader.stdout, 'data');
  const began = performance.now();
  await letConmonServe(run);
  assert.ok(performance.now() - began > 500);
  assert.equal(String(await said), '0 0 0\n');
});

test('nobody waits for a conmon that is dead', async () => {
  using run = folder();
  await letConmonServe(run);
});
