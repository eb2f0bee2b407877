import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { tinyRootfs } from '../helpers/base-image.ts';
import { openCli } from '../helpers/cli.ts';

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
