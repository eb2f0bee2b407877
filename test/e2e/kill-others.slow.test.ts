/** What becomes of a container when conmon, the runtime, its first process, its exit callback or the machine dies. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandLine, isAlive, killIfAny, processIds } from '../../src/linux/processes.ts';
import { testBundle } from '../helpers/bundle.ts';
import { cgroupsOfContainer, removeCgroups } from '../helpers/cgroups.ts';
import { unmountBelow } from '../helpers/loop.ts';
import { inFullRuns, leftOut, OF_CALLS, sampleOf, testRuntime } from '../helpers/scope.ts';
import { CONTAINER_OPERATIONS, signature } from './no-loss/operations.ts';
import { armExit, openStage, quiet, runProgram, type Stage } from './no-loss/stage.ts';

/** The runtime that is called in the end. */
const REAL = testRuntime() ?? 'runc';

let stage: Stage;
before(async () => {
  stage = openStage('overlay2');
  // Brings the image `small`.
  await CONTAINER_OPERATIONS[0]?.prepare(stage);
});
after(async () => await stage[Symbol.asyncDispose]());

const NONE = ['--network', 'none'];
const SLEEP = ['small', 'sleep', '1000'];

function pidIn(id: string, file: string): number {
  const pid = Number.parseInt(readFileSync(`${stage.execRoot}/containers/${id}/${file}`, 'utf8'), 10);
  assert.ok(pid > 1);
  return pid;
}

async function started(...flags: readonly string[]): Promise<string> {
  return (await stage.ok(['run', '-d', ...flags, ...NONE, ...SLEEP])).trim();
}

const status = async (name: string): Promise<string> =>
  (await stage.ok(['ps', '-a', '--filter', `name=${name}`, '--format', '{{.Status}}'])).trim();

describe('conmon is killed', () => {
  const NEXT: readonly (readonly [string, (name: string) => readonly string[]])[] = [
    ['ps', () => ['ps', '-a']],
    ['stop', (name) => ['stop', name]],
    ['inspect', (name) => ['inspect', name]],
    ['start', (name) => ['start', name]],
    ['commit', (name) => ['commit', name, `of-${name}`]],
  ];
  for (const [what, words] of NEXT) {
    const skip = !['ps', 'start'].includes(what) && inFullRuns('ps and start in every run');
    test(`the next command is ${what}: the container is not lost, and its record is true`, {
      skip,
    }, async () => {
      const name = `conmon-${what}`;
      const id = await started('--name', name);
      const [pid, monitor] = [pidIn(id, 'pid'), pidIn(id, 'conmon.pid')];
      process.kill(monitor, 'SIGKILL');
      await stage.ok(words(name));
      await stage.settle(what);
      if (what === 'start') assert.match(await status(name), /^Up /);
      else {
        // As Docker has it: without its shim a container is killed.
        assert.match(await status(name), /^Exited \(137\)/);
        // A zombie is gone: with conmon dead, whoever is process 1 here may never ask for it.
        assert.ok(!isAlive(pid), 'its process is gone');
        await stage.ok(['start', name]);
        assert.match(await status(name), /^Up /);
      }
      await stage.ok(['rm', '-f', name]);
      await stage.settle('rm -f');
    });
  }

  test('rm -f, and the foreground', async () => {
    const id = await started('--name', 'removed');
    const told = commandLine(pidIn(id, 'conmon.pid'));
    assert.ok(
      told?.some((word) => word.startsWith('NODE_COMPILE_CACHE=/')),
      'what it calls need not be compiled',
    );
    process.kill(pidIn(id, 'conmon.pid'), 'SIGKILL');
    await stage.ok(['rm', '-f', 'removed']);
    await stage.settle('rm -f');
    const foreground = stage.run([
      'run',
      '--name',
      'front',
      ...NONE,
      'small',
      'sh',
      '-c',
      'echo up; sleep 1000',
    ]);
    const running = await waitFor('front');
    process.kill(pidIn(running, 'conmon.pid'), 'SIGKILL');
    assert.equal((await foreground).code, 137);
    assert.match(await status('front'), /^Exited \(137\)/);
    await stage.ok(['rm', 'front']);
    await stage.settle('the foreground');
  });
});

/** The id of a container, once it runs. */
async function waitFor(name: string): Promise<string> {
  for (let waited = 0; waited < 30_000; waited += 20) {
    const found = [...stage.count().containers].find(([, one]) => one.name === name && one.running);
    if (found !== undefined) return found[0];
    await sleep(20);
  }
  assert.fail(`${name} does not run`);
}

/** A runtime that is the real one, but for what the script does first; `$create`, `$delete`… tell it what it was called for. */
function makeRuntime(name: string, script: string): string {
  const path = `${stage.base}/runtime-${name.replaceAll(/\W+/g, '-')}`;
  const words = 'for w; do case $w in create|delete|pause|resume) eval "$w=1";; esac; done';
  writeFileSync(path, `#!/bin/sh\n${words}\n${script}\nexec ${REAL} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

/** How often a process of the container's cgroup still counts the seconds. */
const COUNTING = ['small', 'sh', '-c', 'while :; do echo tick; sleep 0.05; done'];
const ticks = async (name: string): Promise<number> =>
  (await stage.ok(['logs', name])).split('\n').filter((line) => line === 'tick').length;

describe('the runtime is killed later', () => {
  for (const [what, script] of [
    ['fails', 'exit 1'],
    ['is killed', 'kill -9 $$'],
    ['is not there any more', 'exit 127'],
  ] as const) {
    test(`when it is to delete a container without conmon it ${what}: nothing of it lives on`, async () => {
      const path = makeRuntime(`delete ${what}`, `[ "$delete" ] && ${script}`);
      const words = ['--runtime', path, 'run', '-d', '--name', 'undeleted', ...NONE, ...SLEEP];
      const id = (await stage.ok(words)).trim();
      const pid = pidIn(id, 'pid');
      if (what === 'is not there any more') rmSync(path);
      process.kill(pidIn(id, 'conmon.pid'), 'SIGKILL');
      assert.match(await status('undeleted'), /^Exited \(137\)/);
      assert.ok(!isAlive(pid), 'its process is gone');
      await stage.settle(what);
      await stage.ok(['rm', 'undeleted']);
    });
  }

  test('when it is to delete a container whose processes are in a cgroup below its own', async () => {
    const path = makeRuntime('delete below', '[ "$delete" ] && kill -9 $$');
    const id = (
      await stage.ok(['--runtime', path, 'run', '-d', '--name', 'below', ...NONE, ...SLEEP])
    ).trim();
    const pid = pidIn(id, 'pid');
    const cgroups = cgroupsOfContainer(stage.cgroupParent, id).filter((cgroup) =>
      readFileSync(`${cgroup}/cgroup.procs`, 'utf8').split('\n').includes(String(pid)),
    );
    assert.notEqual(cgroups.length, 0);
    for (const cgroup of cgroups) {
      mkdirSync(`${cgroup}/inner`);
      // A cpuset of cgroup v1 takes no process before it has processors and memory of its own.
      for (const name of ['cpuset.cpus', 'cpuset.mems'].filter((file) =>
        existsSync(`${cgroup}/inner/${file}`),
      ))
        writeFileSync(`${cgroup}/inner/${name}`, readFileSync(`${cgroup}/${name}`));
      writeFileSync(`${cgroup}/inner/cgroup.procs`, String(pid));
    }
    process.kill(pidIn(id, 'conmon.pid'), 'SIGKILL');
    assert.match(await status('below'), /^Exited \(137\)/);
    assert.ok(!isAlive(pid), 'its process is gone');
    assert.deepEqual(cgroupsOfContainer(stage.cgroupParent, id), []);
    await stage.ok(['rm', 'below']);
  });

  test('when it pauses: commit says so, and the container goes on', async () => {
    const path = makeRuntime('pause', '[ "$pause" ] && kill -9 $$');
    await stage.ok(['--runtime', path, 'run', '-d', '--name', 'ticking', ...NONE, ...COUNTING]);
    const { code, stderr } = await stage.run(['--runtime', path, 'commit', 'ticking', 'of-ticking']);
    assert.equal(code, 1);
    assert.match(stderr, /^tsengine: [^\n]*pause failed[^\n]*\n$/);
    await goesOn('ticking');
  });

  test('when it has paused: the same', async () => {
    const path = makeRuntime('paused', `[ "$pause" ] && { ${REAL} "$@"; kill -9 $$; }`);
    await stage.ok(['--runtime', path, 'run', '-d', '--name', 'ticking', ...NONE, ...COUNTING]);
    const { code } = await stage.run(['--runtime', path, 'commit', 'ticking', 'of-ticking']);
    assert.equal(code, 1);
    await goesOn('ticking');
  });

  test('when it resumes: the commit is made, and the container goes on', async () => {
    const path = makeRuntime('resume', '[ "$resume" ] && kill -9 $$');
    await stage.ok(['--runtime', path, 'run', '-d', '--name', 'ticking', ...NONE, ...COUNTING]);
    await stage.ok(['commit', 'ticking', 'of-ticking']);
    await goesOn('ticking');
    await stage.ok(['rmi', 'of-ticking']);
  });
});

/** The container is not frozen, and ends when it is told to. */
async function goesOn(name: string): Promise<void> {
  const before = await ticks(name);
  for (let waited = 0; (await ticks(name)) <= before; waited += 20) {
    assert.ok(waited < 30_000, `${name} stands still`);
    await sleep(20);
  }
  await stage.ok(['rm', '-f', name]);
  await stage.settle(name);
}

describe('conmon is killed while a container is made', () => {
  for (const rm of [true, false]) {
    for (const wait of [0, 5, 10, 20, 40]) {
      const skip = ![0, 10].includes(wait) && inFullRuns('0 and 10 ms in every run');
      test(`${wait} ms after it began${rm ? ', --rm' : ''}`, { skip }, async () => {
        const flags = rm ? ['--rm'] : ['--name', 'unmade'];
        const ended = stage.run(['run', ...flags, ...NONE, 'small', 'sleep', '1']);
        await killMonitorAfter(wait);
        const { code, stderr } = await ended;
        // Killed after all was over, it is not missed.
        assert.ok([0, 125, 137].includes(code ?? -1), `${code}: ${stderr}`);
        if (code === 125) assert.match(stderr, /^(WARNING: [^\n]+\n)?tsengine: [^\n]+\n$/);
        const { containers } = await stage.settle(`${wait}`);
        assert.equal(containers.size, rm ? 0 : 1);
        for (const one of containers.values()) assert.equal(one.running, false);
        if (!rm) await stage.ok(['rm', 'unmade']);
      });
    }
  }

  const monitors = (): number[] =>
    processIds().filter((pid) => {
      const words = commandLine(pid);
      return words.includes('--cid') && words.some((word) => word.startsWith(`${stage.execRoot}/`));
    });

  /** Kills the conmon that comes, so long after it came. */
  async function killMonitorAfter(wait: number): Promise<void> {
    for (let waited = 0; monitors().length === 0; waited += 1) {
      assert.ok(waited < 5000, 'no conmon came');
      await sleep(1);
    }
    await sleep(wait);
    for (const pid of monitors()) killIfAny(pid);
  }
});

describe('the runtime is killed', () => {
  for (const [when, script] of [
    ['before it creates', '[ "$create" ] && kill -9 $$'],
    // conmon waits for whatever holds the runtime's standard error.
    ['before it creates, leaving a process', '[ "$create" ] && { sleep 1000 & kill -9 $$; }'],
    ['while it creates', `[ "$create" ] && { ${REAL} "$@" & sleep 0.03; kill -9 $! $$; }`],
    ['after it has created', `[ "$create" ] && { ${REAL} "$@" </dev/null >/dev/null 2>&1; kill -9 $$; }`],
  ] as const) {
    for (const rm of [true, false]) {
      test(`${when}${rm ? ', --rm' : ''}`, async () => {
        const path = makeRuntime(when, script);
        const flags = rm ? ['--rm'] : ['--name', 'unborn'];
        const { code, stderr } = await stage.run([
          '--runtime',
          path,
          'run',
          ...flags,
          ...NONE,
          'small',
          'true',
        ]);
        assert.equal(code, 125, stderr);
        assert.match(stderr, /^tsengine: [^\n]+\n$/);
        const { containers } = await stage.settle(when);
        assert.equal(containers.size, rm ? 0 : 1);
        if (rm) return;
        for (const one of containers.values()) assert.equal(one.running, false);
        await stage.ok(['rm', 'unborn']);
        await quiet(stage, when);
        await stage.settle('rm');
      });
    }
  }
});

describe("the container's first process is killed from outside", () => {
  test('detached', async () => {
    const id = await started('--name', 'detached');
    process.kill(pidIn(id, 'pid'), 'SIGKILL');
    await quiet(stage, 'the callback');
    const container = (await stage.settle('detached')).containers.get(id);
    assert.deepEqual([container?.running, container?.exitCode], [false, 137]);
    await stage.ok(['rm', 'detached']);
  });

  test('in the foreground, and with --rm', async () => {
    for (const flags of [
      ['--name', 'shown'],
      ['--name', 'shown', '--rm'],
    ]) {
      const foreground = stage.run(['run', ...flags, ...NONE, ...SLEEP]);
      process.kill(pidIn(await waitFor('shown'), 'pid'), 'SIGKILL');
      assert.equal((await foreground).code, 137);
      const { containers } = await stage.settle(flags.join(' '));
      assert.deepEqual(
        [...containers.values()].map(({ exitCode }) => exitCode),
        flags.includes('--rm') ? [] : [137],
      );
      if (!flags.includes('--rm')) await stage.ok(['rm', 'shown']);
    }
  });
});

test('the machine stops: processes, mounts and the exec root are gone', async () => {
  const id = await started('--name', 'survivor', '-v', '/anonymous');
  const temporary = await started('--rm');
  for (const one of [id, temporary]) {
    process.kill(pidIn(one, 'conmon.pid'), 'SIGKILL');
    process.kill(pidIn(one, 'pid'), 'SIGKILL');
  }
  await quiet(stage, 'all');
  unmountBelow(stage.dataRoot);
  rmSync(stage.execRoot, { recursive: true });
  removeCgroups(stage.cgroupParent);
  const { containers, volumes } = await stage.settle('after the boot');
  assert.deepEqual([...containers.keys()], [id]);
  assert.equal(volumes.length, 1);
  assert.match(await status('survivor'), /^Exited \(255\)/);
  await stage.ok(['start', 'survivor']);
  assert.match(await status('survivor'), /^Up /);
  await stage.ok(['rm', '-fv', 'survivor']);
  assert.deepEqual((await stage.settle('rm')).volumes, []);
});

test('the whole process group of a command in the foreground is killed: the container goes on, and its end is recorded', async () => {
  for (const rm of [false, true]) {
    const words = ['run', '--name', 'group', ...(rm ? ['--rm'] : []), ...NONE, 'small', 'sleep', '1'];
    const [program = '', ...rest] = [...testBundle().command, ...stage.globals, ...words];
    const child = spawn(program, rest, { detached: true, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    const id = await waitFor('group');
    process.kill(-(child.pid ?? Number.NaN), 'SIGKILL');
    await ended;
    await quiet(stage, 'the container');
    const container = (await stage.settle('group')).containers.get(id);
    assert.deepEqual([container?.running, container?.exitCode], rm ? [undefined, undefined] : [false, 0]);
    if (!rm) await stage.ok(['rm', 'group']);
  }
});

describe('the exit callback is killed at each of its calls', () => {
  for (const rm of [false, true]) {
    test(rm ? 'with --rm' : 'of a container that stays', async (t) => {
      const empty = signature(await stage.settle('before'));
      const log = `${stage.base}/exit-log`;
      let calls: readonly string[] = [];
      let targets: readonly number[] = [];
      // The 0th is the one that counts.
      for (let turn = 0; turn <= targets.length; turn += 1) {
        const nth = turn === 0 ? 0 : (targets[turn - 1] ?? 0);
        const id = await started('--name', 'ending', ...(rm ? ['--rm'] : []));
        if (nth === 0) writeFileSync(log, '');
        else armExit(stage, `*:${nth}:kill`);
        process.kill(pidIn(id, 'pid'), 'SIGKILL');
        await quiet(stage, `callback killed at ${nth}`);
        if (nth === 0) {
          calls = readFileSync(log, 'utf8').trim().split('\n');
          const numbered = calls.map((name, index) => ({ name, nth: index + 1 }));
          const sample = {
            ...OF_CALLS,
            kindOf: ({ name }: { readonly name: string }) => name,
            of: `exit ${rm}`,
          };
          targets = sampleOf(numbered, sample).map((one) => one.nth);
        }
        rmSync(log, { force: true });
        armExit(stage, undefined);
        const container = (await stage.settle(`callback killed at ${nth}`)).containers.get(id);
        if (rm) assert.equal(container, undefined);
        else {
          assert.deepEqual([container?.running, container?.exitCode], [false, 137]);
          await stage.ok(['rm', 'ending']);
        }
        assert.equal(signature(await stage.settle('rm')), empty);
      }
      assert.ok(calls.length > 20 && targets.length > 4, `${targets.length} of ${calls.length} calls`);
      const what = `the exit callback${rm ? ' of --rm' : ''}`;
      t.diagnostic(`${what}: killed before ${targets.length} calls${leftOut(targets.length, calls.length)}`);
    });
  }
});

test('what is said of a container that a signal ended is true for whoever asks in the shell', async () => {
  const ended = await runProgram([
    ...testBundle().command,
    ...stage.globals,
    'run',
    '--rm',
    ...NONE,
    'small',
    'sh',
    '-c',
    // Process 1 of a container cannot kill itself.
    "sh -c 'kill -9 $$'; exit $?",
  ]);
  assert.equal(ended.code, 137);
  await stage.settle('in the end');
});
