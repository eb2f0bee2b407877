import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { listed } from '../../../src/engine/containers/left-out.ts';
import { type Fixture, openFixture, runInForeground } from './fixture.ts';

let fixture: Fixture;
before(async () => {
  fixture = await openFixture();
});
after(async () => await fixture[Symbol.asyncDispose]());

interface Changes {
  readonly config?: object;
  readonly host?: object;
}

/** Changes a container's files as Docker would have written them, which `create` would not. */
function change(id: string, { config = {}, host = {} }: Changes): void {
  const folder = `${fixture.root.dataRoot}/containers/${id}`;
  const file = JSON.parse(readFileSync(`${folder}/config.v2.json`, 'utf8'));
  const hostConfig = JSON.parse(readFileSync(`${folder}/hostconfig.json`, 'utf8'));
  writeFileSync(
    `${folder}/config.v2.json`,
    JSON.stringify({ ...file, Config: { ...file.Config, ...config } }),
  );
  writeFileSync(`${folder}/hostconfig.json`, JSON.stringify({ ...hostConfig, ...host }));
}

/** The warnings of a start of a container that was changed so. */
async function warningsOf(changes: Changes): Promise<string[]> {
  const id = await fixture.create(['echo', 'ran'], { name: 'one' });
  change(id, changes);
  fixture.root.warnings.length = 0;
  assert.equal((await runInForeground(fixture.engine, id)).stdout, 'ran\n');
  await fixture.engine.containers.remove(id);
  return [...fixture.root.warnings];
}

const RESTART = { RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } };
const HEALTH = { Healthcheck: { Test: ['CMD-SHELL', 'true'] } };
const PORTS = { NetworkMode: 'default', PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '80' }] } };

test('start says what of a container is not carried out, all of it in one line, and runs it', async () => {
  const line = (what: string) => [`container one: tsengine does not carry out its ${what} yet`];
  const expected = line('restart policy, health check and published ports');
  assert.deepEqual(await warningsOf({ config: HEALTH, host: { ...RESTART, ...PORTS } }), expected);
  assert.deepEqual(await warningsOf({ host: RESTART }), line('restart policy'));
  assert.deepEqual(await warningsOf({ config: HEALTH }), line('health check'));
  const published = { NetworkMode: 'default', PublishAllPorts: true };
  const exposed = { ExposedPorts: { '80/tcp': {} } };
  assert.deepEqual(await warningsOf({ config: exposed, host: published }), line('published ports'));
});

test('start says nothing of what is not asked for', async () => {
  assert.deepEqual(await warningsOf({}), []);
  assert.deepEqual(await warningsOf({ config: { Healthcheck: { Test: ['NONE'] } } }), []);
  assert.deepEqual(await warningsOf({ config: { Healthcheck: { Test: [], Retries: 3 } } }), []);
  const none = { RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, ...PORTS, NetworkMode: 'none' };
  assert.deepEqual(await warningsOf({ host: { ...none, PublishAllPorts: true } }), []);
});

test('words are listed as people do', () => {
  assert.deepEqual([listed([]), listed(['a']), listed(['a', 'b'])], ['', 'a', 'a and b']);
});
