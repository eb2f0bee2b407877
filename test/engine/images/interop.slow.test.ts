/**
 * Images on their way between tsengine, Docker, podman, skopeo and umoci: whatever archive they travel in, every side
 * has the same id (the digest of the configuration), the same diff IDs and the same history.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../../src/engine/api/services.ts';
import { tinyRootfs } from '../../helpers/base-image.ts';
import { openCli } from '../../helpers/cli.ts';
import { type Docker, dockerMissing, startDocker } from '../../helpers/docker.ts';
import { type TestRoot, testRoot } from '../../helpers/engine.ts';
import {
  collect,
  digestOf,
  dockerArchive,
  type MadeImage,
  makeImage,
  manyLayers,
} from '../../helpers/images.ts';
import { openPodman, type Podman, podmanMissing } from '../../helpers/podman.ts';
import { inFullRuns } from '../../helpers/scope.ts';

const created = '2024-05-06T07:08:09.1Z';
/** Everything that OCI and Docker both know, with a step that makes no layer. */
const RICH = makeImage(manyLayers(3), {
  config: {
    author: 'me <a&b>',
    config: { Env: ['A=1'], Cmd: ['sh', '-c', 'x'], Labels: { a: 'b' }, Volumes: { '/v': {} }, User: '1:2' },
    history: [
      { created, created_by: 'one', comment: 'first' },
      { created, created_by: 'env', empty_layer: true },
      { created, created_by: 'two' },
      { created, created_by: 'three' },
    ],
  },
});
const PLAIN = makeImage(manyLayers(1, 'plain'));

/** What all sides must agree on. */
interface Facts {
  readonly id: string;
  readonly diffIds: readonly string[];
  /** What made each step, the oldest first. */
  readonly history: readonly string[];
}

const factsOf = (image: MadeImage, history: readonly string[]): Facts => ({
  id: image.id,
  diffIds: image.diffIds,
  history,
});
const RICH_FACTS = factsOf(RICH, ['one', 'env', 'two', 'three']);
const PLAIN_FACTS = factsOf(PLAIN, ['step 0']);

async function ours(engine: Engine, name: string): Promise<Facts> {
  const { Id, RootFS } = await engine.images.inspect(name);
  const history = (await engine.images.history(name)).map(({ CreatedBy }) => CreatedBy).reverse();
  assert.ok(typeof RootFS === 'object' && RootFS !== null && 'Layers' in RootFS);
  assert.ok(Array.isArray(RootFS.Layers));
  return { id: Id, diffIds: RootFS.Layers, history };
}

async function dockers(docker: Docker, name: string): Promise<Facts> {
  const [{ Id, RootFS }] = JSON.parse(await docker('inspect', name));
  const text = await docker('history', '--no-trunc', '--format', '{{.CreatedBy}}', name);
  return { id: Id, diffIds: RootFS.Layers, history: text.split('\n').reverse() };
}

function podmans(podman: Podman, name: string): Facts {
  const [{ Id, RootFS, History }] = JSON.parse(podman('inspect', '--type', 'image', name));
  const history = History.map((step: { created_by: string }) => step.created_by);
  return { id: `sha256:${Id}`, diffIds: RootFS.Layers, history };
}

/** What skopeo reads in an archive or layout. */
function skopeos(source: string): Facts {
  const config = execFileSync('skopeo', ['inspect', '--raw', '--config', source]);
  const { rootfs, history } = JSON.parse(config.toString());
  return {
    id: digestOf(config),
    diffIds: rootfs.diff_ids,
    history: history.map((step: { created_by: string }) => step.created_by),
  };
}

const skopeo = (...args: string[]): void => {
  execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
};

function missing(): string | false {
  const tools = ['skopeo', 'umoci'].find((tool) => spawnSync(tool, ['--version']).status !== 0);
  return dockerMissing() ?? podmanMissing() ?? (tools === undefined ? false : `${tools} is not installed`);
}

describe('images between tools', { skip: missing() }, () => {
  let base: string;
  let root: TestRoot;
  let engine: Engine;
  let docker: Docker;
  let podman: Podman;
  before(async () => {
    base = mkdtempSync(`${tmpdir()}/ts-interop-`);
    root = testRoot('vfs');
    engine = await root.open();
    podman = openPodman();
    docker = await startDocker({ storageDriver: 'vfs' });
    const made = dockerArchive([
      { image: RICH, tags: ['rich:1', 'name.example/team/rich:2'] },
      { image: PLAIN, tags: ['plain:1'] },
    ]);
    writeFileSync(`${base}/made.tar`, made);
    await loadHere(`${base}/made.tar`);
  });
  after(async () => {
    await docker?.[Symbol.asyncDispose]();
    await engine?.[Symbol.asyncDispose]();
    podman?.[Symbol.dispose]();
    root?.[Symbol.dispose]();
    rmSync(base, { recursive: true, force: true });
  });

  /** Loads a file and gives the names and facts of the images in it. */
  const loadHere = async (file: string): Promise<{ names: readonly string[]; facts: Facts }[]> => {
    const loaded = await engine.images.load(createReadStream(file));
    const out: { names: readonly string[]; facts: Facts }[] = [];
    for (const { id, references } of loaded) out.push({ names: references, facts: await ours(engine, id) });
    return out;
  };
  const emptyHere = async (): Promise<void> => {
    for (const { Id } of await engine.images.list({ all: true }))
      await engine.images.remove(Id, { force: true });
  };
  const emptyThere = async (): Promise<void> => {
    podman('rmi', '-a', '-f');
    const ids = (await docker('images', '-aq')).split('\n').filter((id) => id !== '');
    if (ids.length > 0) await docker('rmi', '-f', ...new Set(ids));
  };
  const loadMade = async (): Promise<void> => {
    await emptyHere();
    await loadHere(`${base}/made.tar`);
  };

  for (const names of [
    ['plain:1'],
    ['rich:1'],
    ['rich:1', 'name.example/team/rich:2', 'plain:1'],
    [RICH.id],
  ]) {
    const skip =
      names.length === 1 && names[0] !== 'rich:1' && inFullRuns('one name and several in every run');
    test(`Docker and podman load what we save: ${names.join(' ').slice(0, 40)}`, { skip }, async () => {
      await loadMade();
      await emptyThere();
      const file = `${base}/ours.tar`;
      writeFileSync(file, await collect(engine.images.save(names)));
      await docker('load', '-i', file);
      podman('load', '-q', '-i', file);
      for (const name of names) {
        const wanted = name.startsWith('plain') ? PLAIN_FACTS : RICH_FACTS;
        assert.deepEqual(await dockers(docker, name), wanted);
        assert.deepEqual(podmans(podman, name.replace('sha256:', '')), wanted);
      }
      const tagged = names.filter((name) => !name.startsWith('sha256:')).toSorted();
      const theirs = (await docker('images', '--format', '{{.Repository}}:{{.Tag}}')).split('\n').toSorted();
      assert.deepEqual(theirs, tagged.length === 0 ? ['<none>:<none>'] : tagged);
      const podmansNames = podman('images', '--format', '{{.Repository}}:{{.Tag}}').split('\n').toSorted();
      const local = tagged.map((name) => (name.includes('/') ? name : `localhost/${name}`)).toSorted();
      assert.deepEqual(podmansNames, local.length === 0 ? ['<none>:<none>'] : local);
    });
  }

  test('we and podman load what Docker saves', async () => {
    await emptyHere();
    await emptyThere();
    await docker('load', '-i', `${base}/made.tar`);
    const file = `${base}/docker.tar`;
    await docker('save', '-o', file, 'rich:1', 'name.example/team/rich:2', 'plain:1');
    // Docker saves several images, and the names of each, in random order.
    const loaded = (await loadHere(file)).map(({ names, facts }) => ({ names: names.toSorted(), facts }));
    const [plain, rich, ...more] = loaded.toSorted((a, b) => a.names.length - b.names.length);
    assert.deepEqual(rich, { names: ['name.example/team/rich:2', 'rich:1'], facts: RICH_FACTS });
    assert.deepEqual(plain, { names: ['plain:1'], facts: PLAIN_FACTS });
    assert.deepEqual(more, []);
    podman('load', '-q', '-i', file);
    assert.deepEqual(podmans(podman, 'rich:1'), RICH_FACTS);
  });

  test('we and Docker load what podman saves as docker-archive', async () => {
    await emptyThere();
    podman('load', '-q', '-i', `${base}/made.tar`);
    const file = `${base}/podman.tar`;
    podman('save', '-q', '-m', '-o', file, 'rich:1', 'name.example/team/rich:2', 'plain:1');
    await emptyHere();
    const loaded = await loadHere(file);
    assert.deepEqual(
      loaded.map(({ facts }) => facts),
      [RICH_FACTS, PLAIN_FACTS],
    );
    assert.deepEqual(loaded.flatMap(({ names }) => names).toSorted(), [
      'localhost/plain:1',
      'localhost/rich:1',
      'name.example/team/rich:2',
    ]);
    await docker('load', '-i', file);
    assert.deepEqual(await dockers(docker, 'localhost/rich:1'), RICH_FACTS);
  });

  for (const format of ['oci-archive', 'oci-dir']) {
    test(`we load what podman saves as ${format}`, async () => {
      await emptyThere();
      podman('load', '-q', '-i', `${base}/made.tar`);
      const saved = `${base}/podman-${format}`;
      podman('save', '-q', '--format', format, '-o', saved, 'rich:1');
      const file = format === 'oci-dir' ? tarred(saved) : saved;
      await emptyHere();
      const [loaded, ...more] = await loadHere(file);
      assert.deepEqual(more, []);
      assert.deepEqual(loaded?.names, ['localhost/rich:1']);
      // The configuration is written anew for this format, so the id is another one, for podman too.
      assert.deepEqual(loaded?.facts, skopeos(`oci-archive:${file}`));
      assert.deepEqual(loaded?.facts, { ...RICH_FACTS, id: loaded?.facts.id });
      podman('rmi', '-a', '-f');
      podman('load', '-q', '-i', file);
      assert.deepEqual(podmans(podman, 'rich:1'), loaded?.facts);
    });
  }

  test('a docker-dir of podman’s is refused by name', async () => {
    podman('load', '-q', '-i', `${base}/made.tar`);
    podman('save', '-q', '--format', 'docker-dir', '-o', `${base}/docker-dir`, 'plain:1');
    await assert.rejects(loadHere(tarred(`${base}/docker-dir`)), {
      code: 'InvalidParameter',
      message:
        "manifest.json in the archive is a registry's manifest: save the image as docker-archive or oci-archive instead",
    });
  });

  for (const compression of ['gzip', 'zstd']) {
    for (const target of ['oci', 'oci-archive', 'docker-archive']) {
      test(`skopeo copy to ${target}:, ${compression}`, async () => {
        const place = `${base}/skopeo-${target}-${compression}`;
        const format = ['--dest-compress', '--dest-compress-format', compression];
        const copied = `${target}:${place}:name.example/r:1`;
        skopeo(...format, `docker-archive:${base}/made.tar:rich:1`, copied);
        await emptyHere();
        const [loaded, ...more] = await loadHere(target === 'oci' ? tarred(place) : place);
        assert.deepEqual(more, []);
        assert.deepEqual(loaded, { names: ['name.example/r:1'], facts: skopeos(copied) });
        const sameId = target === 'docker-archive' ? RICH.id : loaded?.facts.id;
        assert.deepEqual(loaded?.facts, { ...RICH_FACTS, id: sameId });
        if (target === 'oci') assert.ok(mediaTypes(place).includes(`layer.v1.tar+${compression}`));
        // Back again: what we save of it is what skopeo copied.
        const again = `${base}/again.tar`;
        rmSync(again, { force: true });
        writeFileSync(again, await collect(engine.images.save(['name.example/r:1'])));
        assert.deepEqual(skopeos(`docker-archive:${again}`), loaded?.facts);
      });
    }
  }

  test('a layout that umoci changed', async () => {
    const layout = `${base}/umoci`;
    skopeo(`docker-archive:${base}/made.tar:rich:1`, `oci:${layout}:v1`);
    const umoci = (...args: string[]): void => {
      execFileSync('umoci', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    };
    umoci('unpack', '--image', `${layout}:v1`, `${base}/bundle`);
    writeFileSync(`${base}/bundle/rootfs/by-umoci`, 'made');
    rmSync(`${base}/bundle/rootfs/file-1`);
    umoci('repack', '--image', `${layout}:v2`, '--history.created_by', 'umoci', `${base}/bundle`);
    const wanted = skopeos(`oci:${layout}:v2`);
    assert.equal(wanted.diffIds.length, 4);
    execFileSync('umoci', ['rm', '--image', `${layout}:v1`]);
    const file = tarred(layout);
    await emptyHere();
    const [loaded, ...more] = await loadHere(file);
    assert.deepEqual(more, []);
    assert.deepEqual(loaded?.facts, wanted);
    podman('rmi', '-a', '-f');
    const id = podman('load', '-q', '-i', file).replace(/^Loaded image: /, '');
    assert.deepEqual(podmans(podman, id.replace('sha256:', '')), wanted);
    // And on to Docker, through us.
    writeFileSync(`${base}/on.tar`, await collect(engine.images.save([wanted.id])));
    await docker('load', '-i', `${base}/on.tar`);
    assert.deepEqual(await dockers(docker, wanted.id), wanted);
  });

  /** A folder as tar, beside it. */
  function tarred(folder: string): string {
    execFileSync('tar', ['-C', folder, '-cf', `${folder}.tar`, '.']);
    return `${folder}.tar`;
  }

  /** The media types that the manifests of a layout name, without what is common to all. */
  function mediaTypes(layout: string): string[] {
    const index = JSON.parse(readFileSync(`${layout}/index.json`, 'utf8'));
    const { digest } = index.manifests[0];
    const manifest = JSON.parse(readFileSync(`${layout}/blobs/${digest.replace(':', '/')}`, 'utf8'));
    return manifest.layers.map((layer: { mediaType: string }) =>
      layer.mediaType.replace('application/vnd.oci.image.', ''),
    );
  }
});

test('Docker loads a commit with a sparse file, and saves it as it was', {
  skip: dockerMissing() ?? false,
}, async () => {
  await using docker = await startDocker();
  await using cli = openCli('overlay2');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  const fill = ['dd', 'if=/dev/zero', 'of=/sparse', 'bs=1', 'count=1', 'seek=20000000'];
  cli.ok(['run', '--name', 'sparse', '--network', 'none', 'tiny', ...fill]);
  cli.ok(['commit', 'sparse', 'sparse:1']);
  const archive = cli.runBytes(['save', 'sparse:1']);
  assert.equal((await docker.try(['load'], archive)).code, 0);
  const saved = `${docker.dataRoot}/saved.tar`;
  await docker('save', '-o', saved, 'sparse:1');
  cli.ok(['rmi', 'sparse:1']);
  // Every layer's digest is checked.
  assert.match(cli.ok(['load', '-i', saved]), /^Loaded image: sparse:1$/m);
  const script = 'stat -c "%s %b" /sparse';
  const [size, blocks] = cli
    .ok(['run', '--rm', '--network', 'none', 'sparse:1', 'sh', '-c', script])
    .split(' ')
    .map(Number);
  assert.equal(size, 20_000_001);
  assert.ok(Number(blocks) < 100, `${blocks} blocks`);
});
