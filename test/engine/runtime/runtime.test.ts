import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { monitorArguments } from '../../../src/engine/runtime/conmon.ts';
import { parseMemberships } from '../../../src/engine/runtime/conmon-cgroup.ts';
import { exitCommandOf } from '../../../src/engine/runtime/exit-command.ts';
import { waitForExit } from '../../../src/engine/runtime/exit-watch.ts';
import { checkRuntimeName, findRuntime } from '../../../src/engine/runtime/oci-runtime.ts';
import { findProgram } from '../../../src/engine/runtime/programs.ts';
import { readEnding, runDirOf } from '../../../src/engine/runtime/run-dir.ts';
import { noteRuntime, readRuntime } from '../../../src/engine/runtime/run-runtime.ts';
import { createFailure, runtimeMessage, stateExitCode } from '../../../src/engine/runtime/runtime-error.ts';
import { DEFAULT_RUNTIME_SETTINGS } from '../../../src/engine/runtime/settings.ts';
import { isAlive } from '../../../src/linux/processes.ts';
import { makePipe, reap, spawnDetached } from '../../../src/linux/spawn.ts';

const base = mkdtempSync(`${tmpdir()}/ts-rt-`);
after(() => rmSync(base, { recursive: true, force: true }));

const id = 'c'.repeat(64);
const runtime = { name: 'runc', path: '/usr/sbin/runc', args: ['--x'], root: '/run/r' };

test('what runc says is taken out of its log lines, what crun says without its time', () => {
  const runc =
    'time="2026-01-01T00:00:00Z" level=warning msg="w"\ntime="2026-01-01T00:00:00Z" level=error msg="exec: \\"x\\": bad\\n"\n';
  assert.equal(runtimeMessage(runc), 'exec: "x": bad');
  assert.equal(
    runtimeMessage(
      '2026-01-01T00:00:00.000000Z: executable file `x` not found in $PATH: No such file or directory\n',
    ),
    'executable file `x` not found in $PATH: No such file or directory',
  );
  assert.equal(runtimeMessage(''), '');
  const warning = 'time="2026-01-01T00:00:00Z" level=warning msg="skipping device"\n';
  assert.equal(runtimeMessage(warning), '', 'a warning is no reason');
  assert.equal(runtimeMessage(`${warning}runc said this\n${warning}`), 'runc said this');
});

test('exit codes follow what Docker reads out of messages', () => {
  const codes = (said: string) => [createFailure(said).exitCode, stateExitCode(said)];
  assert.deepEqual(codes('exec: "x": executable file not found in $PATH'), [127, 127]);
  assert.deepEqual(codes('exec: "x": stat x: no such file or directory'), [127, 127]);
  assert.deepEqual(codes('exec: "x": permission denied'), [126, 126]);
  assert.deepEqual(codes('mounting "/a": not a directory'), [125, 127]);
  assert.deepEqual(codes('anything else'), [125, 128]);
});

test('conmon’s arguments name the container, the runtime with its own, and what to call at the end', () => {
  const run = runDirOf('/run/x', id);
  const words = monitorArguments({
    run,
    runtime,
    name: 'n',
    terminal: false,
    stdin: 'once',
    log: '/log',
    systemdCgroup: true,
    cgroupParent: '/p',
    heldFd: undefined,
    exitCommand: ['/bin/sh', '-c', 'x'],
  });
  const after = (flag: string) => words.flatMap((word, index) => (word === flag ? [words[index + 1]] : []));
  assert.deepEqual(after('--cid'), [id]);
  assert.deepEqual(after('--runtime-arg'), ['--x', '--log', `${run.path}/runtime.log`, '--root', '/run/r']);
  assert.deepEqual(after('--log-path'), ['k8s-file:/log']);
  assert.deepEqual(after('--exit-command'), ['/bin/sh']);
  assert.deepEqual(after('--exit-command-arg'), ['-c', 'x']);
  assert.ok(
    words.includes('--stdin') && words.includes('--systemd-cgroup') && !words.includes('--leave-stdin-open'),
  );
});

test('cgroup memberships are read with paths that hold colons', () => {
  assert.deepEqual(parseMemberships('4:memory:/a:b\n1:name=systemd:/\n0::/user.slice\n'), [
    { controllers: 'memory', path: '/a:b' },
    { controllers: 'name=systemd', path: '/' },
    { controllers: '', path: '/user.slice' },
  ]);
});

test('runtimes: known names, configured ones, paths; others are unknown, missing ones say how to get them', () => {
  const settings = { ...DEFAULT_RUNTIME_SETTINGS, runtimes: { mine: { path: '/bin/true', args: ['-v'] } } };
  assert.deepEqual(findRuntime('mine', settings, '/run/x'), {
    name: 'mine',
    path: '/bin/true',
    args: ['-v'],
    root: '/run/x/runtimes/mine',
  });
  assert.equal(findRuntime('/bin/true', settings, '/run/x').root, '/run/x/runtimes/true');
  assert.equal(findRuntime('io.containerd.runc.v2', settings, '/run/x').root, '/run/x/runtimes/runc');
  assert.throws(() => findRuntime('other', settings, '/run/x'), {
    message: 'Unknown runtime specified other',
  });
  assert.throws(() => checkRuntimeName('other', settings), { message: 'Unknown runtime specified other' });
  assert.throws(() => findRuntime('/no/runc', settings, '/run/x'), {
    message: /^OCI runtime \/no\/runc not found: install it or name another/,
  });
  if (findProgram('crun') === undefined) {
    assert.throws(() => findRuntime('crun', settings, '/run/x'), {
      message: 'OCI runtime crun not found: apt-get install crun',
    });
  }
});

test('a runtime is noted for the run, and a note that was cut off is none', () => {
  const run = runDirOf(base, 'a'.repeat(64));
  mkdirSync(run.path, { recursive: true });
  noteRuntime(run, runtime);
  assert.deepEqual(readRuntime(run), runtime);
  writeFileSync(run.runtime, '{"name":"ru');
  assert.equal(readRuntime(run), undefined);
});

test('the exit file gives the code; conmon’s -1 and nonsense are a code that is none of a command’s', () => {
  const run = runDirOf(base, 'b'.repeat(64));
  mkdirSync(run.path, { recursive: true });
  assert.equal(readEnding(run), undefined);
  for (const [text, code] of [
    ['0', 0],
    ['137', 137],
    ['-1', 255],
    ['', 255],
  ] as const) {
    writeFileSync(run.exit, text);
    assert.equal(readEnding(run)?.code, code);
  }
  assert.equal(readEnding(run)?.oomKilled, false);
  writeFileSync(run.oom, '');
  assert.equal(readEnding(run)?.oomKilled, true);
});

test('waiting ends when the run folder goes, and when it is told to', async () => {
  const run = runDirOf(base, 'd'.repeat(64));
  mkdirSync(run.exits, { recursive: true });
  mkdirSync(run.path, { recursive: true });
  const process_ = spawn('sleep', ['30', id]);
  writeFileSync(run.monitorPid, String(process_.pid));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  await waitForExit({ ...run, id }, false, stop.signal);
  const gone = waitForExit({ ...run, id }, false);
  await sleep(20);
  rmSync(run.path, { recursive: true });
  await gone;
  process_.kill();
});

test('the exit script calls the recorder only when there is something left, and waits for a watcher that lives', async () => {
  const run = runDirOf(base, 'e'.repeat(64));
  const mark = `${base}/mark`;
  const recorder = `${base}/recorder`;
  writeFileSync(recorder, `#!/bin/sh\necho "$@" > ${mark}\n`);
  chmodSync(recorder, 0o755);
  const call = (watcher: number | undefined) => {
    const [program = '', ...args] = exitCommandOf(run, [recorder, 'a b', 'c'], watcher);
    return [program, args] as const;
  };
  spawnSync(...call(undefined));
  assert.equal(existsSync(mark), false);
  mkdirSync(run.path, { recursive: true });
  spawnSync(...call(undefined));
  assert.equal(readFileSync(mark, 'utf8'), 'a b c\n');
  rmSync(mark);
  const waiting = spawn(...call(process.pid));
  const ended = new Promise((resolve) => waiting.on('exit', resolve));
  await sleep(150);
  assert.equal(existsSync(mark), false);
  rmSync(run.path, { recursive: true });
  assert.equal(await ended, 0);
  assert.equal(existsSync(mark), false);
  mkdirSync(run.path);
  const dead = spawnSync('true').pid;
  spawnSync(...call(dead));
  assert.equal(existsSync(mark), true);
});

test('a program started apart has a session of its own, the descriptors it was given, and no more', async () => {
  const pipe = makePipe();
  const script =
    'cat /proc/self/stat | cut -d" " -f1,6; ls /proc/self/fd | tr "\\n" " "; env; pwd; readlink /proc/self/fd/0';
  const pid = spawnDetached({
    program: '/bin/sh',
    args: ['-c', `exec 1>&7 7>&-; ${script}`],
    env: { A: 'b c' },
    cwd: base,
    descriptors: new Map([[7, pipe.write]]),
  });
  const { closeSync, readSync } = await import('node:fs');
  closeSync(pipe.write);
  let text = '';
  for (const buffer = Buffer.alloc(4096); ; ) {
    const length = readSync(pipe.read, buffer);
    if (length === 0) break;
    text += buffer.toString('utf8', 0, length);
  }
  closeSync(pipe.read);
  await reap(pid);
  assert.equal(isAlive(pid), false);
  const [stat = '', descriptors, ...rest] = text.trim().split('\n');
  assert.equal(stat.split(' ')[1], String(pid), 'session');
  assert.match(descriptors ?? '', /^0 1 2 3 (?!\d)/);
  assert.ok(rest.includes('A=b c') || (descriptors ?? '').includes('A=b c'));
  assert.ok(text.includes(base) && text.includes('/dev/null'));
  const nowhere = { program: '/no/such', args: [], env: {}, cwd: '/', descriptors: new Map() };
  assert.throws(() => spawnDetached(nowhere), { code: 'ENOENT', syscall: 'posix_spawn' });
});
