/** Containers on aufs, and whole data roots: one laid out by Docker's rules opens, and what is written here follows them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { readMountInfo } from '../../src/linux/mountinfo.ts';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';
import { dockerArchive, makeImage, tarOf } from '../helpers/images.ts';
import { until } from '../helpers/until.ts';

/** An image of four layers: a base, whiteouts of both kinds, and something over them. */
async function image(): Promise<Buffer> {
  const layers = [
    fs.readFileSync(await tinyRootfs()),
    tarOf([{ name: 'data/' }, { name: 'data/old', content: 'old' }, { name: 'gone', content: 'gone' }]),
    tarOf([
      { name: '.wh.gone' },
      { name: 'data/' },
      { name: 'data/.wh..wh..opq' },
      { name: 'data/new', content: 'new' },
    ]),
    tarOf([{ name: 'top', content: 'top' }]),
  ];
  return dockerArchive([{ image: makeImage(layers), tags: ['made:latest'] }]);
}

interface Layer {
  readonly cacheId: string;
  readonly parents: readonly string[];
}

/** The layers that `image/aufs/layerdb` tells of, as Docker reads it. */
function layersOf(dataRoot: string): Layer[] {
  const folder = `${dataRoot}/image/aufs/layerdb/sha256`;
  const read = (chain: string, name: string): string => {
    const path = `${folder}/${chain}/${name}`;
    return fs.existsSync(path) ? fs.readFileSync(path, 'utf8').replace(/^sha256:/, '') : '';
  };
  const parentsOf = (chain: string): string[] => {
    const parent = read(chain, 'parent');
    return parent === '' ? [] : [read(parent, 'cache-id'), ...parentsOf(parent)];
  };
  return fs.readdirSync(folder).map((chain) => ({
    cacheId: read(chain, 'cache-id'),
    parents: parentsOf(chain),
  }));
}

/** Writes `aufs/` anew as Docker's driver would: every tar, the base's first, unpacked as it is, whiteouts and all. */
function layOut(dataRoot: string, tars: readonly string[]): void {
  const home = `${dataRoot}/aufs`;
  fs.rmSync(home, { recursive: true });
  for (const name of ['', '/diff', '/layers', '/mnt']) fs.mkdirSync(home + name, 0o710);
  for (const { cacheId, parents } of layersOf(dataRoot)) {
    for (const name of ['mnt', 'diff']) fs.mkdirSync(`${home}/${name}/${cacheId}`, 0o755);
    const tar = tars[parents.length];
    assert.ok(tar !== undefined);
    execFileSync('tar', ['-xpf', tar, '-C', `${home}/diff/${cacheId}`, '--numeric-owner']);
    fs.writeFileSync(`${home}/layers/${cacheId}`, parents.map((id) => `${id}\n`).join(''), { mode: 0o644 });
  }
}

function save(cli: Cli, folder: string): string[] {
  fs.mkdirSync(folder);
  cli.ok(['save', '-o', `${folder}.tar`, 'made']);
  execFileSync('tar', ['-xf', `${folder}.tar`, '-C', folder]);
  const [entry] = JSON.parse(fs.readFileSync(`${folder}/manifest.json`, 'utf8'));
  return entry.Layers;
}

const run = (cli: Cli, script: string, ...more: string[]): string =>
  cli.ok(['run', '--network', 'none', ...more, 'made', 'sh', '-c', script]);

test("a root laid out by Docker's rules opens and runs, and what is written follows them", async () => {
  await using cli = openCli('aufs');
  cli.ok(['load'], { input: await image() });
  const saved = save(cli, `${cli.dataRoot}-first`);
  const first = `${cli.dataRoot}-first`;
  try {
    // What was written here is what Docker's rules say of it.
    for (const { cacheId, parents } of layersOf(cli.dataRoot)) {
      const text = fs.readFileSync(`${cli.dataRoot}/aufs/layers/${cacheId}`, 'utf8');
      assert.equal(text, parents.map((id) => `${id}\n`).join(''));
      assert.ok(fs.statSync(`${cli.dataRoot}/aufs/mnt/${cacheId}`).isDirectory());
    }
    const files = fs.readdirSync(`${cli.dataRoot}/aufs/diff`, { recursive: true, encoding: 'utf8' });
    assert.ok(files.some((path) => path.endsWith('/.wh.gone')));
    assert.ok(files.some((path) => path.endsWith('/data/.wh..wh..opq')));

    layOut(
      cli.dataRoot,
      saved.map((name) => `${first}/${name}`),
    );
    assert.equal(
      run(cli, 'ls /gone /data; cat /top', '--rm').replace(/^.*No such.*\n/m, ''),
      '/data:\nnew\ntop',
    );
    // tar-split and all: the same bytes leave.
    assert.deepEqual(save(cli, `${cli.dataRoot}-second`), saved);
  } finally {
    for (const name of ['first', 'first.tar', 'second', 'second.tar']) {
      fs.rmSync(`${cli.dataRoot}-${name}`, { recursive: true, force: true });
    }
  }
});

test('containers run, change, are committed, live on without the command that started them, and leave nothing', async () => {
  await using cli = openCli('aufs');
  cli.ok(['load'], { input: await image() });
  assert.match(cli.ok(['info']), /Storage Driver: aufs\n(?:.*\n)*.*Union: fuse-overlayfs \(FUSE\)/);
  const script = 'rm /top; echo changed > /data/new; mkdir /made; test -c /dev/null && sleep 600';
  run(cli, script, '-d', '--name', 'lives');
  const changes = 'C /data\nC /data/new\nA /made\nD /top\n';
  await until(() => cli.ok(['diff', 'lives']) === changes);
  cli.ok(['commit', 'lives', 'made2']);
  cli.ok(['stop', '-t', '0', 'lives']);
  assert.equal(cli.ok(['run', '--rm', '--network', 'none', 'made2', 'cat', '/data/new']), 'changed\n');
  assert.notEqual(cli.run(['run', '--rm', '--network', 'none', 'made2', 'ls', '/top']).status, 0);
  cli.ok(['rm', 'lives']);
  assert.ok(readMountInfo().every(({ mountPoint }) => !mountPoint.toString().startsWith(cli.dataRoot)));
  cli.ok(['rmi', 'made', 'made2']);
  for (const name of ['diff', 'layers', 'mnt'])
    assert.deepEqual(fs.readdirSync(`${cli.dataRoot}/aufs/${name}`), []);
});
