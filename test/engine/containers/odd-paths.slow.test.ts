/** Containers whose roots have names that programs stumble over. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { commandLineFor, openFixture, runInForeground } from './fixture.ts';

test('containers run, and end, below a data root and an exec root with a blank and an ä', async () => {
  await using fixture = await openFixture('overlay2', 'ts odd ä-');
  const { containers } = fixture.engine;
  const ran = await fixture.run(['sh', '-c', 'echo out; echo err >&2; exit 3']);
  assert.deepEqual([ran.code, ran.stdout, ran.stderr], [3, 'out\n', 'err\n']);
  const id = await fixture.create(['cat'], { name: 'kept', input: 'ö\n' });
  assert.equal((await runInForeground(fixture.engine, id, 'ö\n')).stdout, 'ö\n');
  let log = '';
  for await (const { data } of containers.logs('kept')) log += data.toString();
  assert.equal(log, 'ö\n');
  const later = await fixture.create(['sleep', '1000']);
  await containers.start(later);
  await containers.kill(later, 'SIGKILL');
  assert.equal(await containers.wait(later), 137);
  const { stdout } = spawnSync(
    process.execPath,
    commandLineFor(fixture, 'ps', '-a', '--format', '{{.Status}}'),
    {
      encoding: 'utf8',
    },
  );
  assert.match(stdout, /^Exited \(137\) .*\nExited \(0\) .*\n$/);
});
