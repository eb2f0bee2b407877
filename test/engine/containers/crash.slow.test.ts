import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { listDirectory } from '../../../src/linux/files.ts';
import { commandLineFor, eventually, type Fixture, openFixture } from './fixture.ts';

let fixture: Fixture;
before(async () => {
  fixture = await openFixture();
});
after(async () => {
  await fixture[Symbol.asyncDispose]();
});

const commandLine = (...words: string[]) => commandLineFor(fixture, ...words);

const CALLS = [
  'mount',
  'rename',
  'mkdir',
  'symlink',
  'write',
  'rmdir',
  'umount2',
  'open',
  'posix_spawn',
  'connect',
  'unlink',
  'flock',
  'close',
];

test('a client killed at any moment of create and start leaves nothing that the next command does not clear up', async () => {
  let killed = 0;
  for (const call of CALLS) {
    for (const nth of [1, 2, 3, 4, 6, 8, 11, 14]) {
      const ended = await new Promise<NodeJS.Signals | null>((resolve) => {
        const child = spawn(
          process.execPath,
          commandLine('run', '--rm', '--network', 'none', 'tiny', 'true'),
          {
            stdio: 'ignore',
            env: { ...process.env, TSENGINE_FAULT: `${call}:${nth}:kill` },
          },
        );
        child.on('exit', (_, signal) => resolve(signal));
      });
      if (ended !== 'SIGKILL') continue;
      killed += 1;
      await using engine = await fixture.another();
      assert.deepEqual(
        await engine.containers.list({ all: true }),
        [],
        `${call}:${nth}: --rm that never ran`,
      );
      await eventually(`${call}:${nth}: conmon ends`, () => fixture.monitors().length === 0);
      const at = `after ${call}:${nth}`;
      assert.deepEqual(listDirectory(`${fixture.root.dataRoot}/containers`), [], at);
      assert.deepEqual(listDirectory(`${fixture.execRoot}/containers`), [], at);
      assert.deepEqual(listDirectory(`${fixture.root.dataRoot}/image/overlay2/layerdb/mounts`), [], at);
      assert.deepEqual(fixture.mounts(), [], at);
    }
  }
  assert.ok(killed > 40, `only ${killed} were killed`);
});

test('rm -v killed at any moment is finished by the next command: container, name and anonymous volumes', async () => {
  const { dataRoot } = fixture.root;
  let killed = 0;
  for (const call of ['rename', 'unlink', 'unlinkat', 'rmdir', 'umount2', 'open']) {
    for (const nth of [1, 2, 3, 5, 8]) {
      const name = `${call}-${nth}`;
      await run(['create', '--name', name, '-v', '/anonymous', 'tiny', 'true'], {});
      assert.equal(listDirectory(`${dataRoot}/volumes`).length, 1);
      const ended = await run(['rm', '-v', name], { TSENGINE_FAULT: `${call}:${nth}:kill` });
      if (ended === 'SIGKILL') killed += 1;
      await using engine = await fixture.another();
      for (const { Id } of await engine.containers.list({ all: true })) {
        await engine.containers.remove(Id, { volumes: true });
      }
      // Anything that makes or removes a container clears up first.
      await run(['create', '--name', 'next', 'tiny', 'true'], {});
      await run(['rm', 'next'], {});
      const at = `after ${name}`;
      assert.deepEqual(listDirectory(`${dataRoot}/volumes`), [], at);
      assert.deepEqual(listDirectory(`${dataRoot}/tsengine/names`), ['.stamp'], at);
      assert.deepEqual(listDirectory(`${dataRoot}/containers`), [], at);
      assert.deepEqual(listDirectory(`${dataRoot}/image/overlay2/layerdb/mounts`), [], at);
    }
  }
  assert.ok(killed > 10, `only ${killed} were killed`);
});

function run(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<NodeJS.Signals | null> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, commandLine(...words), {
      stdio: 'ignore',
      env: { ...process.env, ...environment },
    });
    child.on('exit', (_, signal) => resolve(signal));
  });
}
