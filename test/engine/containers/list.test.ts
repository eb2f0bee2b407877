import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ListContainers } from '../../../src/engine/api/services.ts';
import { type Fixture, openFixture, runInForeground } from './fixture.ts';

let fixture: Fixture;
const ids: Record<string, string> = {};
before(async () => {
  fixture = await openFixture();
  const { engine } = fixture;
  ids.ended = await fixture.create(['sh', '-c', 'exit 3'], {
    name: 'ended',
    config: { Labels: { kind: 'job', x: '' } },
  });
  ids.fresh = await fixture.create(['sleep', '1 000'], {
    name: 'fresh',
    host: { NetworkMode: 'host', Binds: ['vol:/data'] },
  });
  ids.running = await fixture.create(['sleep', '1000'], {
    name: 'running',
    config: { Labels: { kind: 'service' } },
  });
  await runInForeground(engine, ids.ended);
  await engine.containers.start('running');
});
after(async () => {
  await fixture[Symbol.asyncDispose]();
});

async function names(options: ListContainers = {}): Promise<string[]> {
  return (await fixture.engine.containers.list(options)).map(({ Names }) => Names[0]?.slice(1) ?? '');
}

function filtered(...filters: (readonly [string, ...string[]])[]): Promise<string[]> {
  return names({ all: true, filters: new Map(filters.map(([key, ...values]) => [key, values])) });
}

test('a list has running containers, with all every one, newest first', async () => {
  assert.deepEqual(await names(), ['running']);
  assert.deepEqual(await names({ all: true }), ['running', 'fresh', 'ended']);
  assert.deepEqual(await names({ latest: true }), ['running']);
  assert.deepEqual(await names({ last: 2 }), ['running', 'fresh']);
});

test('filters choose as Docker’s do', async () => {
  assert.deepEqual(await filtered(['name', 'nn']), ['running']);
  assert.deepEqual(await filtered(['name', '^/?e']), ['ended']);
  assert.deepEqual(await filtered(['id', (ids.fresh ?? '').slice(0, 10)]), ['fresh']);
  assert.deepEqual(await filtered(['label', 'kind']), ['running', 'ended']);
  assert.deepEqual(await filtered(['label', 'kind=job']), ['ended']);
  assert.deepEqual(await filtered(['label', 'kind', 'x']), ['ended']);
  assert.deepEqual(await filtered(['status', 'created', 'exited']), ['fresh', 'ended']);
  assert.deepEqual(await filtered(['exited', '3']), ['ended']);
  assert.deepEqual(await filtered(['exited', '0']), []);
  assert.deepEqual(await filtered(['ancestor', 'tiny']), ['running', 'fresh', 'ended']);
  assert.deepEqual(await filtered(['ancestor', 'nosuch']), []);
  assert.deepEqual(await filtered(['before', 'fresh']), ['ended']);
  assert.deepEqual(await filtered(['since', 'fresh']), ['running']);
  assert.deepEqual(await filtered(['volume', 'vol']), ['fresh']);
  assert.deepEqual(await filtered(['volume', '/data']), ['fresh']);
  assert.deepEqual(await filtered(['network', 'host']), ['fresh']);
  assert.deepEqual(await filtered(['network', 'none']), ['running', 'ended']);
  assert.deepEqual(await filtered(['health', 'none']), ['running', 'fresh', 'ended']);
  assert.deepEqual(await filtered(['is-task', 'false']), ['running', 'fresh', 'ended']);
});

test('a status filter looks at all containers without being asked', async () => {
  assert.deepEqual(await names({ filters: new Map([['status', ['exited']]]) }), ['ended']);
});

test('filters that are none are refused in Docker’s words', async () => {
  await assert.rejects(filtered(['foo', 'bar']), { message: "Invalid filter 'foo'" });
  await assert.rejects(filtered(['status', 'foo']), { message: "Invalid filter 'status=foo'" });
  await assert.rejects(filtered(['exited', 'x']), { message: 'strconv.Atoi: parsing "x": invalid syntax' });
  await assert.rejects(filtered(['before', 'nope']), { message: 'no such container nope' });
});

test('a row says what the container is', async () => {
  const rows = await fixture.engine.containers.list({ all: true, size: true });
  const fresh = rows.find(({ Id }) => Id === ids.fresh);
  assert.partialDeepStrictEqual(fresh, {
    Names: ['/fresh'],
    Image: 'tiny',
    Command: "sleep '1 000'",
    State: 'created',
    Status: 'Created',
    HostConfig: { NetworkMode: 'host' },
    Mounts: [{ Type: 'volume', Name: 'vol', Destination: '/data', Driver: 'local', Mode: 'z', RW: true }],
  });
  assert.ok((fresh?.SizeRootFs ?? 0) > 1_000_000);
  assert.match(rows.find(({ Id }) => Id === ids.ended)?.Status ?? '', /^Exited \(3\) .* ago$/);
  assert.match(rows.find(({ Id }) => Id === ids.running)?.Status ?? '', /^Up /);
});

test('a container is found by name, by id, and by the beginning of its id', async () => {
  const { containers } = fixture.engine;
  const id = ids.fresh ?? '';
  for (const wanted of ['fresh', '/fresh', id, id.slice(0, 12), id.slice(0, 5)]) {
    assert.equal(await containers.resolve(wanted), id);
  }
  await assert.rejects(containers.resolve('nosuch'), { message: 'No such container: nosuch' });
  await assert.rejects(containers.resolve(''), { message: 'invalid name or ID supplied: ""' });
  await assert.rejects(containers.resolve('../x'), { message: 'No such container: ../x' });
});

test('of many containers what was found is kept, and a change of one is seen', async (t) => {
  const { engine, execRoot } = fixture;
  const { dataRoot } = fixture.root;
  const folder = (id: string): string => `${dataRoot}/containers/${id}`;
  const { ended = '' } = ids;
  const copies = Array.from({ length: 25 }, (_, n) => n.toString(16).padStart(64, 'c'));
  const write = (id: string, change: (text: string) => string): void => {
    const text = readFileSync(`${folder(ended)}/config.v2.json`, 'utf8').replaceAll(ended, id);
    writeFileSync(`${folder(id)}/.new`, change(text.replace('"/ended"', `"/copy-${id.slice(-2)}"`)));
    renameSync(`${folder(id)}/.new`, `${folder(id)}/config.v2.json`);
  };
  t.after(() => {
    for (const id of copies) rmSync(folder(id), { recursive: true, force: true });
  });
  for (const id of copies) {
    cpSync(folder(ended), folder(id), { recursive: true });
    write(id, (text) => text);
  }
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 5000 });
  const list = () => engine.containers.list({ all: true });
  const first = await list();
  assert.equal(first.length, copies.length + 3);
  const [name = ''] = readdirSync(`${execRoot}/facts`);
  const facts = `${execRoot}/facts/${name}`;
  const kept = readFileSync(facts, 'utf8');
  assert.ok(kept.includes('copy-c7'));
  assert.deepEqual(await list(), first);
  writeFileSync(facts, kept.replace('"copy-c7"', '"kept-c7"'));
  assert.ok((await names({ all: true })).includes('kept-c7'));
  write(copies[7] ?? '', (text) => text.replace('"ExitCode":3', '"ExitCode":4'));
  rmSync(folder(copies[8] ?? ''), { recursive: true });
  const after = await list();
  assert.equal(after.length, first.length - 1);
  const changed = after.find(({ Names }) => Names[0] === '/copy-c7');
  assert.match(changed?.Status ?? '', /^Exited \(4\)/);
});
