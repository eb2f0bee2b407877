import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartWatch } from '../../src/lab/stuck-start.ts';

function started(script: string): ChildProcess & AsyncDisposable {
  const child = spawn('sh', ['-c', script], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return Object.assign(child, {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  });
}

test('a start is stuck when QEMU has computed for too long, once, and not because time passes', async () => {
  await using busy = started('while :; do :; done');
  await using idle = started('exec sleep 1000');
  const told: string[] = [];
  const watches = Object.entries({ busy, idle }).map(
    ([name, { pid = 0 }]) => new StartWatch(pid, () => told.push(name), 0.2, 20),
  );
  try {
    while (told.length === 0) await sleep(20);
    await sleep(300);
    assert.deepEqual(told, ['busy']);
  } finally {
    for (const watch of watches) watch.stop();
  }
});

test('a watch that was stopped says nothing, nor does one of a process that is gone', async () => {
  await using busy = started('while :; do :; done');
  const told: string[] = [];
  const stopped = new StartWatch(busy.pid ?? 0, () => told.push('stopped'), 0, 20);
  stopped.stop();
  const gone = new StartWatch(2 ** 22 + 1, () => told.push('gone'), 0.1, 20);
  await sleep(200);
  gone.stop();
  assert.deepEqual(told, []);
});
