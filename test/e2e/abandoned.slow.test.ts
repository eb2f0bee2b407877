import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { isAlive } from '../../src/linux/processes.ts';
import { tinyRootfs } from '../helpers/base-image.ts';
import { openCli } from '../helpers/cli.ts';
import { until } from '../helpers/until.ts';

test('conmon’s exit command removes a container whose starter was killed, and no other', async () => {
  await using cli = openCli('overlay2');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  const create = ['create', '--network', 'none'];
  const abandoned = cli.ok([...create, '--rm', 'tiny', 'true']).trim();
  const made = cli.ok([...create, '--rm', 'tiny', 'true']).trim();
  // What `run --rm` leaves that was killed after the one and before it could say that it runs.
  mkdirSync(`${cli.execRoot}/starting`, { recursive: true });
  writeFileSync(`${cli.execRoot}/starting/${abandoned}`, '');
  for (const id of [abandoned, made]) cli.ok(['internal-exited', id]);
  assert.deepEqual(readdirSync(`${cli.dataRoot}/containers`), [made]);
  assert.deepEqual(readdirSync(`${cli.execRoot}/starting`), []);
  assert.deepEqual(readdirSync(`${cli.dataRoot}/image/overlay2/layerdb/mounts`), [made]);
});

test('a container that runs under another exec root is not started, and the way to end it that is told ends it', async () => {
  await using cli = openCli('overlay2');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  cli.ok(['run', '-d', '--name', 'live', '--network', 'none', 'tiny', 'sleep', '1000']);
  const pid = Number(cli.ok(['inspect', '-f', '{{.State.Pid}}', 'live']));
  // The last one counts.
  const { status, stderr } = cli.run(['--exec-root', `${cli.execRoot}/other`, 'start', 'live']);
  assert.equal(status, 1);
  const [, command = ''] =
    /still runs \(pid \d+\), started .*: end it there first, or with (.*) if that is gone\n/.exec(stderr) ??
    [];
  assert.equal(command, `kill -9 ${pid}`, stderr);
  execFileSync('sh', ['-c', command]);
  await until(() => !isAlive(pid));
});
