import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { processesOf } from '../../bench/peers/processes.ts';

/** A process that waits, with the words of another in its command line. */
async function fake(argv0: string, ...words: string[]): Promise<ChildProcess> {
  const child = spawn('/bin/sh', ['-c', 'echo; read wait', 'sh', ...words], {
    argv0,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

test('the callback that conmon starts is seen, conmon and those of other roots are not', async () => {
  const root = `/nowhere/${process.pid}/tsengine`;
  const callback = ['main.js', `--data-root=${root}`, '--exec-root=/run/x', 'container-exited', 'abc'];
  const seen = [
    await fake('/usr/bin/node', ...callback),
    await fake('node', '--data-root', root, 'ps'),
    await fake('/usr/bin/runc', 'create', '--bundle', `${root}/overlay2/abc`),
  ];
  const others = [
    await fake('/usr/bin/conmon', '--exit-command', 'node', '--exit-command-arg', `--data-root=${root}`),
    await fake('node', `--data-root=${root}2`),
    await fake('node', `--data-root=${root}-synced`, '--exec-root', '/run/x'),
  ];
  try {
    const pids = processesOf(root).map((line) => Number(line.split(' ')[0]));
    assert.deepEqual(pids.sort(), seen.map(({ pid }) => pid).sort());
  } finally {
    for (const child of [...seen, ...others]) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  assert.deepEqual(processesOf(root), []);
});
