/** What containers share: a volume that nobody named, a data root with two storage drivers; and names that are longer than a file's. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { tinyRootfs } from '../helpers/base-image.ts';
import { type Cli, openCli } from '../helpers/cli.ts';
import { monitored, recount } from '../helpers/recount.ts';
import { until } from '../helpers/until.ts';

async function withImage(): Promise<Cli> {
  const cli = openCli('overlay2');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
  return cli;
}

/** What is wrong with a root on which nothing runs. conmon ends a moment after the command that was attached to it. */
async function problems({ dataRoot, execRoot, cgroupParent }: Cli, driver = 'overlay2') {
  await until(() => monitored(execRoot).size === 0);
  return recount(dataRoot, execRoot, driver, cgroupParent).problems;
}

const volumeOf = (cli: Cli, container: string) =>
  cli.ok(['inspect', '-f', '{{range .Mounts}}{{.Name}}{{end}}', container]).trim();

test('a volume without a name stays as long as another container has it', async () => {
  await using cli = await withImage();
  const sh = (...words: string[]) => cli.ok(['run', '--network', 'none', ...words]);
  sh('--name', 'first', '-v', '/data', 'tiny', 'sh', '-c', 'echo precious >/data/file');
  const volume = volumeOf(cli, 'first');
  cli.ok(['create', '--network', 'none', '--name', 'second', '-v', `${volume}:/d`, 'tiny', 'cat', '/d/file']);
  cli.ok(['rm', '-v', 'first']);
  assert.equal(cli.ok(['start', '-a', 'second']), 'precious\n');
  // Named by its user it is no longer one that nobody named: it stays, as with Docker.
  cli.ok(['rm', '-v', 'second']);
  assert.ok(existsSync(`${cli.dataRoot}/volumes/${volume}/_data/file`));
  sh('--name', 'third', '-v', '/data', 'tiny', 'true');
  const alone = volumeOf(cli, 'third');
  cli.ok(['rm', '-v', 'third']);
  assert.equal(existsSync(`${cli.dataRoot}/volumes/${alone}`), false);
  assert.deepEqual(await problems(cli), []);
});

test('the end of --rm leaves a volume that another container has', async () => {
  await using cli = await withImage();
  const run = [
    'run',
    '-d',
    '--rm',
    '--network',
    'none',
    '--name',
    'short',
    '-v',
    '/data',
    'tiny',
    'sleep',
    '1000',
  ];
  cli.ok(run);
  const volume = volumeOf(cli, 'short');
  cli.ok(['create', '--network', 'none', '--name', 'long', '-v', `${volume}:/d`, 'tiny', 'ls', '/d']);
  cli.ok(['rm', '-f', 'short']);
  cli.ok(['start', '-a', 'long']);
  assert.deepEqual(await problems(cli), []);
});

test('containers of another storage driver are not there, and nothing of them is touched', async () => {
  await using cli = await withImage();
  const vfs = (...args: string[]) => {
    const command = cli.command.map((word) => (word === 'overlay2' ? 'vfs' : word));
    const [program = '', ...words] = command;
    return spawnSync(program, [...words, ...args], { encoding: 'utf8' });
  };
  const id = cli.ok(['create', '--network', 'none', '--name', 'same', 'tiny', 'echo', 'overlay2']).trim();
  assert.equal(vfs('ps', '-aq').stdout, '');
  for (const name of ['same', id, id.slice(0, 12)]) {
    const removed = vfs('rm', '-f', name);
    assert.equal(removed.stderr, `tsengine: No such container: ${name}\n`);
  }
  assert.match(vfs('container', 'prune', '-f').stdout, /^Total reclaimed space: 0B$/m);
  assert.match(vfs('system', 'prune', '-f').stdout, /^Total reclaimed space: 0B$/m);
  assert.equal(vfs('import', await tinyRootfs(), 'tiny').status, 0);
  // Each driver has names of its own.
  const other = vfs('create', '--network', 'none', '--name', 'same', 'tiny', 'echo', 'vfs');
  assert.equal(other.stderr, '');
  assert.equal(vfs('start', '-a', 'same').stdout, 'vfs\n');
  assert.equal(cli.ok(['start', '-a', 'same']), 'overlay2\n');
  assert.deepEqual([await problems(cli), await problems(cli, 'vfs')], [[], []]);
  assert.equal(vfs('rm', 'same').status, 0);
  assert.equal(cli.ok(['ps', '-a', '--format', '{{.Names}}']), 'same\n');
});

test('a name that is longer than the name of a file', async () => {
  await using cli = await withImage();
  const name = 'a'.repeat(300);
  const make = (command: string) => ['create', '--network', 'none', '--name', name, 'tiny', 'echo', command];
  cli.ok(make('long'));
  assert.match(cli.run(make('again')).stderr, /The container name "\/a+" is already in use by container/);
  cli.ok(['create', '--network', 'none', '--name', 'other', 'tiny', 'true']);
  assert.equal(cli.ok(['start', '-a', name]), 'long\n');
  assert.deepEqual(await problems(cli), []);
  cli.ok(['rm', name]);
  cli.ok(make('new'));
  assert.equal(cli.ok(['start', '-a', name]), 'new\n');
});
