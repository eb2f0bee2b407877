import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';
import { until } from '../helpers/until.ts';

let cli: Cli;
before(async () => {
  cli = openCli('overlay2');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
});
after(async () => await cli[Symbol.asyncDispose]());

/** A guard, no measure: a machine of the lab beside others takes ten times what this one does. Milliseconds. */
const PATIENCE = 600_000;

test('output that cannot be written is one line that says so, and --rm still removes', async () => {
  const shell = ['-c', 'exec "$@" > /dev/full', 'sh', ...cli.command, 'run', '--rm', 'tiny', 'echo', 'hello'];
  const ended = spawnSync('sh', shell, { encoding: 'utf8' });
  assert.equal(ended.stderr, 'tsengine: write standard output: no space left on device\n');
  assert.equal(ended.status, 1);
  // The container goes to its end without us.
  await until(() => cli.ok(['ps', '-aq']) === '');
  assert.deepEqual(cli.mounts(), []);
});

test('a container that ignores Ctrl-C is left to itself after the third', { timeout: PATIENCE }, async () => {
  const [program = '', ...words] = cli.command;
  // Busybox sh as PID 1 without a handler: the kernel keeps SIGINT from it.
  const script = 'echo ready; sleep 1000';
  const child = spawn(program, [...words, 'run', '--name', 'deaf', 'tiny', 'sh', '-c', script]);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(child.stdout, 'data');
  const ended = once(child, 'exit');
  for (let sent = 0; sent < 3; sent++) {
    child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const [code] = await ended;
  assert.equal(code, 1);
  assert.match(said, /^tsengine: got 3 signals; container [0-9a-f]{12} goes on: end it with tsengine kill /);
  assert.equal(cli.ok(['ps', '--format', '{{.Names}}']), 'deaf\n');
  cli.ok(['rm', '-f', 'deaf']);
});

test('-t is refused with what to do instead, and makes nothing', () => {
  const ended = cli.run(['run', '-it', '--rm', 'tiny', 'sh']);
  assert.equal(ended.status, 125);
  assert.match(ended.stderr, /^tsengine: terminals \(-t\) are not supported yet: .*-i alone/);
  assert.equal(cli.ok(['ps', '-aq']), '');
});

test('a signal that is not for the container ends us when the container is on record, not before', {
  timeout: PATIENCE,
}, async () => {
  // A runtime that says late that it has started: the container's output is seen long before the record is written.
  const folder = mkdtempSync(`${tmpdir()}/tsengine-test-`);
  const real = execFileSync('sh', ['-c', 'command -v runc'], { encoding: 'utf8' }).trim();
  const script = `#!/bin/sh\n${real} "$@"\nended=$?\ncase " $* " in *" start "*) sleep 2 ;; esac\nexit $ended\n`;
  writeFileSync(`${folder}/runc`, script, { mode: 0o755 });
  const [program = '', ...words] = cli.command;
  const run = ['run', '--name', 'slow', '--sig-proxy=false', 'tiny', 'sh', '-c', 'echo ready; sleep 1000'];
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
  const child = spawn(program, [...words, ...run], { env });
  try {
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [null, 'SIGTERM']);
    assert.equal(cli.ok(['ps', '--format', '{{.Names}}']), 'slow\n');
  } finally {
    cli.ok(['rm', '-f', 'slow']);
    rmSync(folder, { recursive: true });
  }
});

/** conmon that waits before it looks for children that have ended, every time. */
const LATE_CONMON = `#!/bin/sh
exec strace -D -qq -f -o /dev/null -e trace=wait4 -e inject=wait4:delay_enter=80000 /usr/bin/conmon "$@"
`;
const noStrace = spawnSync('strace', ['-V']).status === 0 ? false : 'strace is not installed';

test('nothing of a short output is lost when conmon hears late of who is attached', {
  skip: noStrace,
}, () => {
  const folder = mkdtempSync(`${tmpdir()}/ts-late-conmon-`);
  try {
    writeFileSync(`${folder}/conmon`, LATE_CONMON, { mode: 0o755 });
    const env = { PATH: `${folder}:${process.env.PATH}` };
    // Half of them were lost when the container did not wait for conmon.
    const said = Array.from({ length: 6 }, () => cli.run(['run', '--rm', 'tiny', 'echo', 'hello'], { env }));
    assert.deepEqual(
      said.map(({ status, stdout, stderr }) => [status, stdout, stderr]),
      said.map(() => [0, 'hello\n', '']),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
