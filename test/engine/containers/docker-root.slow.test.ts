import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { containerConfigSchema } from '../../../src/engine/api/container-config.ts';
import { defaultHostConfig } from '../../../src/engine/api/host-config.ts';
import { openEngine } from '../../../src/engine/engine.ts';
import { tinyRootfs } from '../../helpers/base-image.ts';
import { dockerMissing, startDocker } from '../../helpers/docker.ts';
import { runInForeground } from './fixture.ts';

/** Every key of a JSON value, with the type of what it holds, so that two values can be compared in form. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape);
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]));
}

function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** Docker gives mounts in no order. */
function sortMounts(shown: { Mounts: { Destination: string }[] }): unknown {
  return { ...shown, Mounts: shown.Mounts.toSorted((a, b) => (a.Destination < b.Destination ? -1 : 1)) };
}

const skip = dockerMissing();

test('Docker’s containers start here, ours start in Docker, and both files have Docker’s form', {
  skip: skip ?? false,
}, async () => {
  const base = mkdtempSync(`${tmpdir()}/ts-ctdk-`);
  const dataRoot = `${base}/data`;
  const options = { dataRoot, execRoot: `${base}/exec`, storageDriver: 'overlay2', warn: () => {} };
  try {
    let theirs = '';
    const inspected = new Map<string, string>();
    {
      await using docker = await startDocker({ dataRoot });
      await docker('import', await tinyRootfs(), 'tiny:latest');
      const script = 'cat /mark 2>/dev/null; echo again >> /mark; exit 3';
      theirs = await docker(
        'create',
        '--name',
        'theirs',
        '--network',
        'none',
        '-l',
        'a=b',
        '-e',
        'X=y',
        'tiny',
        'sh',
        '-c',
        script,
      );
      assert.equal((await docker.try(['start', '-a', 'theirs'])).code, 3);
      const bind = [
        '-v',
        `${base}:/host:ro`,
        '-v',
        '/anonymous',
        '-v',
        'named:/named',
        '--tmpfs',
        '/t',
        '-w',
        '/deep/er',
      ];
      await docker(
        'create',
        '--name',
        'mounts',
        ...bind,
        '-p',
        '80:80',
        '--expose',
        '90',
        'tiny',
        'sh',
        '-c',
        'a b',
      );
      await docker('create', '--name', 'fresh', 'tiny', 'true');
      for (const name of ['fresh', 'theirs', 'mounts'])
        inspected.set(name, await docker('inspect', '-s', name));
    }
    const file = `${dataRoot}/containers/${theirs}/config.v2.json`;
    const before = readJson(file);
    writeFileSync(file, JSON.stringify({ ...before, FutureKey: { kept: true } }));
    let ours = '';
    {
      await using engine = await openEngine(options);
      const { containers } = engine;
      assert.deepEqual(
        (await containers.list({ all: true })).map(({ Names }) => Names[0]),
        ['/fresh', '/mounts', '/theirs'],
      );
      for (const [name, text] of inspected) {
        const [wanted] = JSON.parse(text);
        const shown = JSON.parse(JSON.stringify(await containers.inspect(name, { size: true })));
        assert.deepEqual(sortMounts(shown), sortMounts(wanted), name);
        assert.deepEqual(Object.keys(shown), Object.keys(wanted), `order of keys of ${name}`);
      }
      const ran = await runInForeground(
        engine,
        'theirs'.length > 0 ? await containers.resolve('theirs') : '',
      );
      assert.deepEqual([ran.code, ran.stdout], [3, 'again\n']);
      assert.deepEqual(readJson(file).FutureKey, { kept: true });
      await assert.rejects(containers.remove('nosuch'), /No such container: nosuch/);
      const script = 'cat /mark 2>/dev/null; echo ours >> /mark; exit 4';
      const config = containerConfigSchema.parse({
        Image: 'tiny',
        Cmd: ['sh', '-c', script],
        AttachStdout: true,
        AttachStderr: true,
        Labels: { a: 'b' },
      });
      ours = (
        await containers.create({
          name: 'ours',
          config,
          hostConfig: { ...defaultHostConfig(1), NetworkMode: 'none' },
        })
      ).id;
      const fresh = await containers.resolve('fresh');
      const made = (
        await containers.create({
          name: 'twin',
          config: containerConfigSchema.parse({
            Image: 'tiny',
            Cmd: ['true'],
            AttachStdout: true,
            AttachStderr: true,
            Labels: {},
          }),
          hostConfig: defaultHostConfig(1),
        })
      ).id;
      for (const name of ['config.v2.json', 'hostconfig.json']) {
        const [one, two] = [fresh, made].map((id) =>
          readFileSync(`${dataRoot}/containers/${id}/${name}`, 'utf8'),
        );
        assert.deepEqual(shape(JSON.parse(two ?? '')), shape(JSON.parse(one ?? '')), name);
        assert.deepEqual(
          Object.keys(JSON.parse(two ?? '')),
          Object.keys(JSON.parse(one ?? '')),
          `order of keys in ${name}`,
        );
      }
      assert.equal((await runInForeground(engine, ours)).code, 4);
      assert.deepEqual(readdirSync(`${base}/exec/containers`), []);
    }
    {
      await using docker = await startDocker({ dataRoot });
      assert.equal(
        await docker('inspect', '-f', '{{.State.ExitCode}} {{.State.Status}}', 'ours'),
        '4 exited',
      );
      const again = await docker.try(['start', '-a', 'ours']);
      assert.deepEqual([again.code, again.stdout], [4, 'ours\n']);
      const theirsAgain = await docker.try(['start', '-a', 'theirs']);
      assert.deepEqual([theirsAgain.code, theirsAgain.stdout], [3, 'again\nagain\n']);
      await docker('rename', 'ours', 'renamed');
    }
    await using engine = await openEngine(options);
    assert.equal(await engine.containers.resolve('renamed'), ours);
    await assert.rejects(engine.containers.resolve('ours'), /No such container: ours/);
    for (const { Id } of await engine.containers.list({ all: true })) await engine.containers.remove(Id);
    assert.deepEqual(readdirSync(`${dataRoot}/containers`), []);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});
