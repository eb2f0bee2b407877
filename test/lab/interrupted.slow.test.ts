/** Ctrl-C while a command runs: what it had left in /results comes back. A program in QEMU's place writes to the real disk for results. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { descriptors } from '../../src/lab/qemu.ts';
import { fakeQemu } from './fake-machine.ts';
import { smallCache } from './small-cache.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));

/** The machine's part: a file on the disk, then an agent that says that the command has started and written a line. */
const MACHINE = `
import os, sys, subprocess, time
drive = [word for word in sys.argv if word.startswith('if=none') and '/results.ext4' in word][0]
image = drive.split('file=')[1].split(',')[0]
subprocess.run(['/sbin/debugfs', '-w', '-R', 'write /proc/version kept', image], check=True, stdout=2, stderr=subprocess.DEVNULL)
for kind, data in ((b'H', b'6.1'), (b'S', b''), (b'O', b'started\\n')):
    os.write(${descriptors.agent}, kind + len(data).to_bytes(4, 'big') + data)
time.sleep(1000)
`;

test('Ctrl-C ends the machine, and brings its results', async () => {
  using cache = await smallCache();
  using qemu = fakeQemu(MACHINE);
  const results = join(cache.folder, 'results');
  const child = spawn(launcher, ['lab', 'run', '-q', '--results', results, '--', 'work'], {
    env: { ...process.env, ...cache.environment(qemu.path) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const ended = once(child, 'close');
  const first = await Promise.race([once(child.stdout, 'data'), ended]);
  assert.equal(String(first[0]), 'started\n', said);
  child.kill('SIGINT');
  assert.equal((await ended)[0], 130);
  assert.equal(said, 'tsengine: got SIGINT: the machine is ended, and what is half made removed\n');
  assert.deepEqual(readdirSync(results), ['kept']);
  assert.equal(readFileSync(join(results, 'kept'), 'utf8').slice(0, 5), 'Linux');
  const left = readdirSync(join(cache.folder, 'cache')).filter((name) => /^(machine|making)-/.test(name));
  assert.deepEqual(left, []);
});
