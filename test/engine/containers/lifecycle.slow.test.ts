import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandLine as argumentsOf } from '../../../src/linux/processes.ts';
import { cgroupsOfContainer } from '../../helpers/cgroups.ts';
import {
  commandLineFor,
  commandLines,
  eventually,
  type Fixture,
  openFixture,
  runInForeground,
} from './fixture.ts';

let fixture: Fixture;
before(async () => {
  fixture = await openFixture();
});
after(async () => {
  await fixture[Symbol.asyncDispose]();
});

const commandLine = (...words: string[]) => commandLineFor(fixture, ...words);

function state(id: string): Record<string, unknown> {
  return JSON.parse(readFileSync(`${fixture.root.dataRoot}/containers/${id}/config.v2.json`, 'utf8')).State;
}

function pidIn(id: string, file: string): number {
  return Number(readFileSync(`${fixture.execRoot}/containers/${id}/${file}`, 'utf8'));
}

test('the end of a detached container is recorded by conmon’s exit command, with nobody of ours resident', async () => {
  const id = await fixture.create(['sh', '-c', 'sleep 0.2; exit 5']);
  await fixture.engine.containers.start(id);
  assert.partialDeepStrictEqual(state(id), { Running: true, ExitCode: 0 });
  await eventually('the end is on record', () => state(id).Running === false);
  assert.partialDeepStrictEqual(state(id), { ExitCode: 5, Pid: 0, OOMKilled: false });
  await eventually('the run folder goes', () => !existsSync(`${fixture.execRoot}/containers/${id}`));
  assert.deepEqual(fixture.mounts(), []);
  await fixture.engine.containers.remove(id);
});

test('a detached container with AutoRemove is removed by conmon’s exit command', async () => {
  const id = await fixture.create(['true'], { host: { AutoRemove: true } });
  await fixture.engine.containers.start(id);
  await eventually('the container goes', () => !existsSync(`${fixture.root.dataRoot}/containers/${id}`));
  await eventually('the run folder goes', () => !existsSync(`${fixture.execRoot}/containers/${id}`));
  const layers = `${fixture.root.dataRoot}/image/overlay2/layerdb/mounts`;
  await eventually('its layer goes', () => !readdirSync(layers).includes(id));
});

test('several wait for one container, and all get its exit code, also when it is removed at its end', async () => {
  for (const AutoRemove of [false, true]) {
    const script = 'trap "exit 9" TERM; while :; do sleep 0.05; done';
    const id = await fixture.create(['sh', '-c', script], { host: { AutoRemove } });
    await fixture.engine.containers.start(id);
    await using other = await fixture.another();
    const codes = Promise.all([
      fixture.engine.containers.wait(id),
      other.containers.wait(id.slice(0, 12)),
      other.containers.wait(id),
    ]);
    // Until all three wait, and the shell has its trap.
    await sleep(500);
    await fixture.engine.containers.kill(id, 'TERM');
    assert.deepEqual(await codes, [9, 9, 9]);
    assert.equal(existsSync(`${fixture.root.dataRoot}/containers/${id}`), !AutoRemove);
    if (!AutoRemove) await fixture.engine.containers.remove(id);
  }
});

test('stop asks with the stop signal and kills after the timeout; kill sends signals; both by name', async () => {
  const { containers } = fixture.engine;
  const script = 'trap "echo asked; exit 3" TERM; while :; do sleep 0.05; done';
  const polite = await fixture.create(['sh', '-c', script], { name: 'polite' });
  await containers.start('polite');
  await sleep(200);
  await containers.stop('polite', { timeout: 5 });
  assert.partialDeepStrictEqual(state(polite), { Running: false, ExitCode: 3 });

  const deaf = await fixture.create(['sh', '-c', 'trap "" TERM; while :; do sleep 0.05; done'], {
    name: 'deaf',
  });
  await containers.start('/deaf');
  await sleep(200);
  await containers.stop('deaf', { timeout: 0 });
  assert.partialDeepStrictEqual(state(deaf), { Running: false, ExitCode: 137 });
  await containers.stop('deaf');

  const user = 'trap "exit 4" USR1; while :; do sleep 0.05; done';
  const killed = await fixture.create(['sh', '-c', user], { name: 'killed' });
  await containers.start('killed');
  await sleep(200);
  await containers.kill('killed', 'SIGUSR1');
  assert.equal(await containers.wait('killed'), 4);
  await assert.rejects(containers.kill('killed'), {
    message: `Cannot kill container: killed: Container ${killed} is not running`,
  });
  await containers.start('killed');
  await containers.kill('killed');
  assert.partialDeepStrictEqual(state(killed), { Running: false, ExitCode: 137 });
  await assert.rejects(
    containers.kill('killed', '99'),
    /Cannot kill container: killed: The linux daemon does not support signal 99/,
  );
  for (const name of ['polite', 'deaf', 'killed']) await containers.remove(name);
});

test('a running container is removed by force only', async () => {
  const id = await fixture.create(['sleep', '1000']);
  const { containers } = fixture.engine;
  await containers.start(id);
  await assert.rejects(containers.remove(id), {
    message: `You cannot remove a running container ${id}. Stop the container before attempting removal or force remove`,
  });
  const pid = pidIn(id, 'pid');
  await containers.remove(id, { force: true });
  assert.equal(argumentsOf(pid).includes('1000'), false);
  await assert.rejects(containers.inspect(id), { message: `No such container: ${id}` });
  assert.deepEqual(fixture.mounts(), []);
});

test('a container whose conmon was killed is found dead and cleaned up at the next look', async () => {
  const id = await fixture.create(['sleep', '1000']);
  const { containers } = fixture.engine;
  await containers.start(id);
  const pid = pidIn(id, 'pid');
  process.kill(pidIn(id, 'conmon.pid'), 'SIGKILL');
  await eventually('conmon is dead', () => fixture.monitors().every((line) => !line.includes(id)));
  const [shown] = await containers.list({ all: true });
  assert.equal(shown?.State, 'exited');
  assert.match(shown?.Status ?? '', /^Exited \(137\)/);
  assert.equal(commandLines().get(pid)?.includes('1000') ?? false, false);
  assert.deepEqual(fixture.mounts(), []);
  await containers.start(id);
  await containers.remove(id, { force: true });
});

test('somebody who waits notices that conmon was killed', async () => {
  const id = await fixture.create(['sleep', '1000']);
  await fixture.engine.containers.start(id);
  const waiting = fixture.engine.containers.wait(id);
  await sleep(100);
  process.kill(pidIn(id, 'conmon.pid'), 'SIGKILL');
  assert.equal(await waiting, 137);
  await fixture.engine.containers.remove(id);
});

test('after a reboot a container that ran is on record as lost, and starts again', async () => {
  const id = await fixture.create(['sleep', '1000']);
  const { containers } = fixture.engine;
  await containers.start(id);
  const file = `${fixture.root.dataRoot}/containers/${id}/config.v2.json`;
  const running = readFileSync(file, 'utf8');
  await containers.kill(id);
  // As the disk is after a power cut: running, and nothing of the exec root left.
  writeFileSync(file, running);
  const { State } = await containers.inspect(id);
  assert.partialDeepStrictEqual(State, { Status: 'exited', ExitCode: 255, Running: false });
  await containers.start(id);
  await containers.remove(id, { force: true });
});

test('a client killed while its container runs leaves it running; the end is recorded all the same', async () => {
  const client = spawn(
    process.execPath,
    commandLine('run', '--rm', '--name', 'orphan', '--network', 'none', 'tiny', 'sleep', '1'),
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const { containers } = fixture.engine;
  await eventually('it runs', async () =>
    (await containers.list()).some(({ Names }) => Names[0] === '/orphan'),
  );
  client.kill('SIGKILL');
  await sleep(300);
  assert.equal((await containers.list()).length, 1);
  await eventually('it is gone', async () => (await containers.list({ all: true })).length === 0);
  await eventually('its run folder goes', () => readdirSync(`${fixture.execRoot}/containers`).length === 0);
});

test('of several processes that want one name one gets it; the others are told by whom it is held', async () => {
  const engines = await Promise.all(Array.from({ length: 6 }, () => fixture.another()));
  const { containerConfigSchema } = await import('../../../src/engine/api/container-config.ts');
  const { hostConfigSchema } = await import('../../../src/engine/api/host-config.ts');
  const request = {
    name: 'wanted',
    config: containerConfigSchema.parse({ Image: 'tiny', Cmd: ['true'] }),
    hostConfig: hostConfigSchema.parse({ NetworkMode: 'none' }),
  };
  const results = await Promise.allSettled(engines.map((engine) => engine.containers.create(request)));
  const made = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.id] : []));
  assert.equal(made.length, 1);
  const conflict =
    `Conflict. The container name "/wanted" is already in use by container "${made[0]}". ` +
    'You have to remove (or rename) that container to be able to reuse that name.';
  for (const result of results) {
    if (result.status === 'rejected') assert.equal(result.reason.message, conflict);
  }
  await fixture.engine.containers.remove('wanted');
  for (const engine of engines) await engine[Symbol.asyncDispose]();
});

test('two processes that want one name: one of them wins', async () => {
  const create = () =>
    new Promise<{ code: number | null; said: string }>((resolve) => {
      const child = spawn(process.execPath, commandLine('create', '--name', 'raced', 'tiny', 'true'), {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
      child.on('close', (code) => resolve({ code, said }));
    });
  const results = await Promise.all([create(), create(), create()]);
  assert.deepEqual(results.map(({ code }) => code).sort(), [0, 1, 1]);
  for (const { code, said } of results) {
    if (code !== 0)
      assert.match(
        said,
        /Conflict\. The container name "\/raced" is already in use by container "[0-9a-f]{64}"/,
      );
  }
  await fixture.engine.containers.remove('raced');
});

test('names are found again when the index is gone, and free when their container is', async () => {
  const id = await fixture.create(['true'], { name: 'indexed' });
  rmSync(`${fixture.root.dataRoot}/tsengine/names`, { recursive: true });
  await using other = await fixture.another();
  assert.equal(await other.containers.resolve('indexed'), id);
  await assert.rejects(fixture.create(['true'], { name: 'indexed' }), /already in use/);
  await other.containers.remove('indexed');
  const again = await fixture.create(['true'], { name: 'indexed' });
  await fixture.engine.containers.remove(again);
});

test('commit of a running container freezes it and thaws it; export works while it runs', async () => {
  const { containers, images } = fixture.engine;
  const id = await fixture.create(['sh', '-c', 'echo x > /made; while :; do sleep 0.05; done']);
  await containers.start(id);
  await eventually('it wrote', async () =>
    (await containers.changes(id)).some(({ path }) => path.toString() === '/made'),
  );
  const image = await containers.commit(id, { reference: 'committed' });
  assert.match(image, /^sha256:/);
  const states = cgroupsOfContainer(fixture.cgroupParent, id).flatMap((path) =>
    ['freezer.state', 'cgroup.freeze'].map((name) => `${path}/${name}`).filter((file) => existsSync(file)),
  );
  assert.notEqual(states.length, 0, 'no cgroup of the container says whether it is frozen');
  for (const file of states) assert.match(readFileSync(file, 'utf8'), /^(THAWED|0)\n$/, file);
  const ran = await fixture.run(['cat', '/made'], { config: { Image: 'committed' } });
  assert.equal(ran.stdout, 'x\n');
  let bytes = 0;
  for await (const chunk of containers.export(id)) bytes += chunk.length;
  assert.ok(bytes > 1_000_000);
  await containers.remove(id, { force: true });
  await images.remove('committed');
});

test('changes, and what a second run of the same container finds', async () => {
  const id = await fixture.create([
    'sh',
    '-c',
    'cat /kept 2>/dev/null; echo again >> /kept; rm -f /etc/group',
  ]);
  assert.equal((await runInForeground(fixture.engine, id)).stdout, '');
  assert.equal((await runInForeground(fixture.engine, id)).stdout, 'again\n');
  const changes = await fixture.engine.containers.changes(id);
  assert.deepEqual(
    changes.map(({ kind, path }) => `${kind} ${path.toString()}`),
    ['modified /etc', 'deleted /etc/group', 'added /kept'],
  );
  await fixture.engine.containers.remove(id);
});

test('a container that cannot be read is left out of lists, with a line that names file and field', async () => {
  const id = 'f'.repeat(64);
  const folder = `${fixture.root.dataRoot}/containers/${id}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}/config.v2.json`,
    JSON.stringify({ ID: id, Name: '/broken', State: { Running: 'yes' } }),
  );
  try {
    fixture.root.warnings.length = 0;
    assert.deepEqual(await fixture.engine.containers.list({ all: true }), []);
    const [warning] = fixture.root.warnings;
    assert.equal(
      warning,
      `container ffffffffffff is left out: ${folder}/config.v2.json: field "State.Running": expected true or false`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
