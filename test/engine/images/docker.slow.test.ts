/** The same images, asked for by Docker's API and by ours. Each side's data root opened by the other: test/e2e/docker-roots.slow.test.ts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Engine, Filters } from '../../../src/engine/api/services.ts';
import { type Docker, dockerMissing, startDocker } from '../../helpers/docker.ts';
import { storeState, type TestRoot, testRoot } from '../../helpers/engine.ts';
import { collect, dockerArchive, makeImage, manyLayers, streamOf } from '../../helpers/images.ts';

const skip = dockerMissing();

/** Images that share layers, tags of one and of several repositories, and everything a configuration can hold. */
const RICH = makeImage(manyLayers(3), {
  created: '2024-05-06T07:08:09.100000000Z',
  config: {
    author: 'me <a&b>',
    comment: 'a comment',
    docker_version: '19.03',
    config: {
      Hostname: 'h',
      User: 'u:g',
      ExposedPorts: { '80/tcp': {}, '443/tcp': {}, '1/udp': {} },
      Env: ['A=1', 'B=<&>'],
      Cmd: ['sh', '-c', 'x'],
      Healthcheck: { Test: ['CMD', 'true'], Interval: 1_000_000_000 },
      Volumes: { '/b': {}, '/a': {} },
      WorkingDir: '/w',
      Entrypoint: ['/e'],
      OnBuild: ['RUN x'],
      Labels: { z: '1', a: '2', both: 'x' },
      StopSignal: 'SIGINT',
      StopTimeout: 7,
      Shell: ['/bin/sh', '-c'],
      unknown: true,
    },
    container: 'c'.repeat(64),
    history: [
      { created: '2024-01-01T00:00:00Z', created_by: 'one', comment: 'first' },
      { created: '2024-01-02T00:00:00.5Z', created_by: 'env', empty_layer: true },
      { created: '2024-01-03T00:00:00Z', created_by: 'two', author: 'x' },
      { created: '2024-01-04T00:00:00Z', created_by: 'three' },
    ],
  },
});
const PLAIN = makeImage(manyLayers(1), {
  created: '2023-01-01T00:00:00Z',
  config: { config: { Labels: { both: 'y' } } },
});
const NAMELESS = makeImage(manyLayers(2, 'n'), {
  created: '2022-01-01T00:00:00Z',
  config: { config: undefined },
});
const ARCHIVE = dockerArchive([
  { image: RICH, tags: ['rich:1', 'rich:2', 'reg.example:5000/team/rich:1'] },
  { image: PLAIN, tags: ['plain:latest', 'user/plain:x'] },
  { image: NAMELESS, tags: null },
]);

/** Without what differs between two stores and should. */
function normalised(value: unknown, roots: readonly string[]): unknown {
  let text = JSON.stringify(value);
  for (const root of roots) text = text.replaceAll(root, 'ROOT');
  text = text
    .replaceAll(/overlay2\/[0-9a-f]{64}/g, 'overlay2/LAYER')
    .replaceAll(/"LastTagTime":"[^"]*"/g, '"LastTagTime":""');
  return JSON.parse(text);
}

/** An error without the words in front of it. */
function withoutPrefix(body: unknown, prefix: string): unknown {
  if (typeof body !== 'object' || body === null || !('message' in body)) return body;
  return { message: String(body.message).replace(prefix, '') };
}

/** What the engine's answer is over HTTP. */
async function answer(work: Promise<unknown>): Promise<unknown> {
  return await work.catch((error: unknown) => ({
    message: error instanceof Error ? error.message : String(error),
  }));
}

/** Docker lists what is equally old in random order, and has null for no names; ours is always a list. */
function sortedList(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const lists: readonly unknown[] = value.map((one: object) => ({
    ...one,
    RepoDigests: ('RepoDigests' in one ? one.RepoDigests : null) ?? [],
  }));
  return lists.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

describe('asked by both', { skip }, () => {
  let docker: Docker;
  let root: TestRoot;
  let engine: Engine;
  before(async () => {
    docker = await startDocker();
    root = testRoot('overlay2');
    engine = await root.open();
    await docker.try(['load'], ARCHIVE);
    await engine.images.load(streamOf(ARCHIVE));
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    root[Symbol.dispose]();
    await docker[Symbol.asyncDispose]();
  });

  const names = ['rich:1', 'plain', 'user/plain:x', NAMELESS.id, NAMELESS.id.slice(7, 15), RICH.id.slice(7)];
  const wrong = [
    'nope',
    'nope:1',
    'A',
    'a b',
    `x@${RICH.id}`,
    'f'.repeat(64),
    `sha256:${'0'.repeat(64)}`,
    '-',
  ];
  for (const name of [...names, ...wrong]) {
    test(`inspect and history of ${name.slice(0, 30)}`, async () => {
      const path = encodeURIComponent(name);
      for (const [api, ours] of [
        ['json', () => engine.images.inspect(name)],
        ['history', () => engine.images.history(name)],
      ] as const) {
        const { body } = await docker.api('GET', `/images/${path}/${api}`);
        // The daemon puts this before the errors of one route; no command shows it.
        const theirs = normalised(withoutPrefix(body, `no such image: ${name}: `), [docker.dataRoot]);
        const mine = normalised(await answer(ours()), [root.dataRoot]);
        assert.deepEqual(mine, theirs);
        assert.equal(JSON.stringify(mine), JSON.stringify(theirs), 'in the same order');
      }
    });
  }

  const filters: readonly (readonly [string, readonly string[]])[][] = [
    [],
    [['dangling', ['true']]],
    [['dangling', ['false']]],
    [['label', ['both']]],
    [['label', ['both=x']]],
    [['label', ['both=x', 'a=2']]],
    [['label', ['none']]],
    [['before', ['rich:1']]],
    [['since', ['plain']]],
    [['before', ['plain:latest']]],
    [['reference', ['rich']]],
    [['reference', ['*:1']]],
    [['reference', ['*/*/rich', 'plain']]],
    [['reference', ['reg.example:5000/team/rich']]],
    [['dangling', ['x']]],
    [['nope', ['x']]],
    [['before', ['nope']]],
    [['reference', ['[a']]],
  ];
  for (const filter of filters) {
    for (const all of [false, true]) {
      test(`list${all ? ' all' : ''} ${JSON.stringify(filter)}`, async () => {
        const query = encodeURIComponent(JSON.stringify(Object.fromEntries(filter)));
        const { body } = await docker.api('GET', `/images/json?all=${all ? 1 : 0}&filters=${query}`);
        const wanted: Filters = new Map(filter);
        const mine = await answer(engine.images.list({ all, filters: wanted }));
        assert.deepEqual(sortedList(mine), sortedList(body));
      });
    }
  }

  test('what save writes is what Docker writes, file by file', async () => {
    for (const name of ['rich', 'rich:2', NAMELESS.id, 'user/plain:x']) {
      const theirs = await filesOf(
        root.base,
        docker
          .try(['save', '-o', `${root.base}/saved.tar`, name])
          .then(() => readFileSync(`${root.base}/saved.tar`)),
      );
      const mine = await filesOf(root.base, collect(engine.images.save([name])));
      assert.deepEqual([...mine.keys()], [...theirs.keys()], name);
      for (const [file, content] of theirs)
        assert.equal(mine.get(file)?.toString('latin1'), content.toString('latin1'), file);
    }
  });

  test('errors of save and tag', async () => {
    // A full id that is nowhere is left out: Docker tells the path of a file of its own.
    for (const name of ['nope', 'nope:1', 'A b']) {
      const { stderr } = await docker.try(['save', '-o', `${root.base}/x.tar`, name]);
      const mine = await answer(collect(engine.images.save([name])));
      assert.deepEqual(mine, { message: stderr.trim().replace('Error response from daemon: ', '') });
    }
    for (const [source, repo, tag] of [
      ['nope', 'x', '1'],
      ['rich:1', 'sha256', '1'],
      ['rich:1', 'A', '1'],
    ] as const) {
      // The words of its client, which looks at the names before it asks.
      const { stderr } = await docker.try(['tag', source, `${repo}:${tag}`]);
      const message = stderr.trim().replace('Error response from daemon: ', '');
      assert.deepEqual(await answer(engine.images.tag(source, `${repo}:${tag}`)), { message }, repo);
    }
  });

  // Each on what the one before has left.
  const removals: readonly (readonly [name: string, force: boolean, noPrune: boolean])[] = [
    ['nope', false, false],
    ['A', false, false],
    [RICH.id.slice(7, 20), false, false],
    ['rich', false, false],
    ['rich:1', false, false],
    ['user/plain:x', false, false],
    [PLAIN.id, false, false],
    ['rich:2', false, false],
    [NAMELESS.id.slice(7, 9), false, false],
    ['reg.example:5000/team/rich:1', true, true],
  ];
  for (const [name, force, noPrune] of removals) {
    test(`rmi ${force ? '-f ' : ''}${name.slice(0, 30)}`, async () => {
      const query = `force=${force ? 1 : 0}&noprune=${noPrune ? 1 : 0}`;
      const { body } = await docker.api('DELETE', `/images/${encodeURIComponent(name)}?${query}`);
      assert.deepEqual(await answer(engine.images.remove(name, { force, noPrune })), body);
      assert.equal(
        storeState(root.dataRoot, 'overlay2').layers.length,
        storeState(docker.dataRoot, 'overlay2').layers.length,
      );
    });
  }
});

/** The files of an archive, by name, in the archive's order. */
async function filesOf(base: string, archive: Promise<Buffer>): Promise<Map<string, Buffer>> {
  const folder = `${base}/files`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const data = await archive;
  execFileSync('tar', ['-x', '-C', folder], { input: data });
  const listed = execFileSync('tar', ['-t'], { input: data }).toString().trim().split('\n');
  return new Map(
    listed.filter((name) => !name.endsWith('/')).map((name) => [name, readFileSync(`${folder}/${name}`)]),
  );
}
