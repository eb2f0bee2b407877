/** Docker beside containers that run: it does not start on their data root until they have ended. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tinyRootfs } from '../helpers/base-image.ts';
import { openCli } from '../helpers/cli.ts';
import { dockerMissing, startDocker } from '../helpers/docker.ts';

test('dockerd does not start while a container of ours runs, and does when it has ended', {
  skip: dockerMissing() ?? false,
}, async () => {
  await using cli = openCli('overlay2');
  const { dataRoot } = cli;
  const makeRoot = await startDocker({ dataRoot });
  await makeRoot[Symbol.asyncDispose]();
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  const id = cli.ok(['run', '-d', '--network', 'none', '--name', 'ours', 'tiny', 'sleep', '1000']).trim();
  await assert.rejects(startDocker({ dataRoot }), /opening volume store metadata database: timeout/);
  assert.equal(cli.ok(['ps', '-q', '--no-trunc']).trim(), id);
  cli.ok(['stop', '-t', '0', 'ours']);
  const docker = await startDocker({ dataRoot });
  try {
    assert.match(await docker('ps', '-a', '--format', '{{.Names}} {{.Status}}'), /^ours Exited \(137\)/);
  } finally {
    await docker[Symbol.asyncDispose]();
  }
  cli.ok(['rm', 'ours']);
});
