import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { declare } from '../../src/linux/libc.ts';

/** In a place where udev seems to run: waits for a cookie, and says whether udev is still trusted then. */
const CHILD = `
  import { isUdevRunning, udevCookie } from '${new URL('../../src/linux/udev-cookie.ts', import.meta.url)}';
  import { writeSync } from 'node:fs';
  process.on('SIGUSR1', () => {});
  using cookie = udevCookie();
  writeSync(1, cookie.value + '\\n');
  cookie.wait();
  writeSync(1, 'trusted: ' + isUdevRunning() + '\\n');
`;

test('a signal does not end the wait for udev', async () => {
  const script =
    'mount -t tmpfs tmpfs /run && mkdir -p /run/udev/rules.d && : >/run/udev/control && echo x >/run/udev/rules.d/95-dm-notify.rules && exec "$0" --input-type=module -e "$1"';
  const child = spawn('unshare', ['-m', 'sh', '-c', script, process.execPath, CHILD], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = once(child, 'exit');
    while (!said.includes('\n')) {
      await Promise.race([once(child.stdout, 'data'), ended]);
      assert.equal(child.exitCode, null, 'it ended before it waited for udev');
    }
    await sleep(50);
    child.kill('SIGUSR1');
    await sleep(50);
    assert.equal(said.split('\n').length, 2, 'it still waits');
    // What `dmsetup udevcomplete` does: the semaphore goes to zero.
    const base = Number(said.trim()) & 0xffff;
    const id = declare('semget', 'int', ['int', 'int', 'int'])(undefined, (0x0d4d << 16) | base, 1, 0);
    declare('semctl', 'int', ['int', 'int', 'int', 'int'])(undefined, id, 0, 16, 0);
    if (child.exitCode === null) await once(child, 'exit');
    assert.match(said, /trusted: true/);
  } finally {
    child.kill('SIGKILL');
  }
});
