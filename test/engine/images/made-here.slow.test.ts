/** Images that import and commit make: their configurations against those that Docker makes of the same. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { dockerMissing, startDocker } from '../../helpers/docker.ts';
import { testRoot } from '../../helpers/engine.ts';
import { collect, dockerArchive, makeImage, manyLayers, streamOf } from '../../helpers/images.ts';

const skip = dockerMissing();

/** The configuration of an image as the archive that `save` writes has it, without times, digests and version. */
function configOf(archive: Buffer, id: string): unknown {
  const text = archive.toString('latin1');
  const start = text.indexOf('{', text.indexOf(`${id.slice(7)}.json\0`));
  const end = text.indexOf('\0', start);
  const json = text.slice(start, end);
  return JSON.parse(
    json
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replaceAll(/sha256:[0-9a-f]{64}/g, 'DIGEST')
      .replace(/"docker_version":"[^"]*"/, '"docker_version":""'),
  );
}

/** Keys in the order in which they stand. */
function keysOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(keysOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.entries(value).map(([key, inner]) => [key, keysOf(inner)]);
}

function assertSame(mine: unknown, theirs: unknown): void {
  assert.deepEqual(mine, theirs);
  assert.deepEqual(keysOf(mine), keysOf(theirs), 'in the same order');
}

describe('made here and by Docker', { skip }, () => {
  test('import', async () => {
    const layer = manyLayers(1)[0] ?? Buffer.alloc(0);
    const changes = [
      'ENV A=1 B=<&>',
      'CMD ["sh"]',
      'LABEL z=1 a=2',
      'EXPOSE 80 1/udp',
      'VOLUME /b /a',
      'WORKDIR /w',
    ];
    await using docker = await startDocker();
    using root = testRoot('overlay2');
    await using engine = await root.open();
    writeFileSync(`${root.base}/layer.tar`, layer);
    for (const message of ['', 'a <message>']) {
      const flags = changes.flatMap((change) => ['-c', change]);
      const more = message === '' ? [] : ['-m', message];
      const { stdout, stderr } = await docker.try(['import', ...flags, ...more, '-', 'imported:1'], layer);
      assert.match(stdout, /^sha256:/, stderr);
      const theirs = await docker.try(['save', '-o', `${root.base}/s.tar`, 'imported:1']);
      assert.equal(theirs.code, 0, theirs.stderr);
      const id = await engine.images.import(streamOf(layer), { reference: 'imported:1', changes, message });
      assertSame(
        configOf(await collect(engine.images.save(['imported:1'])), id),
        configOf(readFileSync(`${root.base}/s.tar`), stdout.trim()),
      );
    }
    // Docker 20.10 takes no notice of the architecture that it was told; here the image has it.
    const id = await engine.images.import(streamOf(layer), { platform: 'linux/arm/v7' });
    const { Architecture, Variant } = await engine.images.inspect(id);
    assert.deepEqual([Architecture, Variant], ['arm', 'v7']);
  });

  test("commit, of a container that Docker made, in Docker's root", async () => {
    using root = testRoot('overlay2');
    const image = makeImage(manyLayers(2), {
      config: {
        variant: 'v8',
        author: 'first',
        config: {
          Env: ['A=1', 'P=x'],
          Cmd: ['old'],
          Entrypoint: null,
          Labels: { a: '1' },
          ExposedPorts: { '1/tcp': {} },
          Volumes: { '/v': {} },
        },
      },
    });
    const commits: readonly (readonly [author: string, message: string, changes: readonly string[]])[] = [
      ['', '', []],
      ['me <m@x>', 'why', ['ENV A=2 N=3', 'CMD ["new"]', 'LABEL b=2', 'EXPOSE 2', 'USER u', 'WORKDIR /x']],
      ['', '', ['ENTRYPOINT ["e"]', 'HEALTHCHECK --interval=5s CMD true', 'VOLUME /w', 'ONBUILD RUN y']],
    ];
    const theirs: { id: string; config: unknown; inspect: Readonly<Record<string, unknown>> }[] = [];
    let container: string;
    {
      await using docker = await startDocker({ dataRoot: root.dataRoot });
      await docker.try(['load'], dockerArchive([{ image, tags: ['base:1'] }]));
      container = await docker('create', '-e', 'C=9', '--label', 'c=3', 'base:1', 'run', 'me');
      writeFileSync(`${root.base}/f`, 'changed');
      await docker('cp', `${root.base}/f`, `${container}:/etc/f`);
      for (const [author, message, changes] of commits) {
        const flags = changes.flatMap((change) => ['-c', change]);
        const id = await docker('commit', '-a', author, '-m', message, ...flags, container);
        await docker('save', '-o', `${root.base}/s.tar`, id);
        const { body } = await docker.api('GET', `/images/${id}/json`);
        assert.ok(typeof body === 'object' && body !== null && 'Parent' in body && 'Id' in body);
        theirs.push({
          id,
          config: configOf(readFileSync(`${root.base}/s.tar`), id),
          inspect: { ...body },
        });
      }
    }
    await using engine = await root.open();
    for (const [index, [author, message, changes]] of commits.entries()) {
      const id = await engine.containers.commit(container, { author, message, changes });
      assertSame(configOf(await collect(engine.images.save([id])), id), theirs[index]?.config);
      const inspect = await engine.images.inspect(id);
      for (const key of ['Parent', 'Comment', 'Author', 'Size', 'Config', 'ContainerConfig', 'Variant']) {
        assert.deepEqual(inspect[key], theirs[index]?.inspect[key], key);
      }
    }
    // Made from the image, and of one repository's tag: children keep their parent.
    await assert.rejects(
      engine.images.remove('base:1', { force: true }).then(() => engine.images.inspect('base:1')),
      {
        code: 'NotFound',
      },
    );
    await assert.rejects(engine.images.remove(image.id, { force: true }), /image has dependent child images/);
  });
});
