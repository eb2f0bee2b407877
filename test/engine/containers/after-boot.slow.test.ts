/** What a power cut leaves of containers, made by hand: names without contents, and layers without a container. */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
} from 'node:fs';
import { after, before, test } from 'node:test';
import { tinyRootfs } from '../../helpers/base-image.ts';
import { type Cli, openCli } from '../../helpers/cli.ts';

let cli: Cli;
before(async () => {
  cli = openCli('overlay2');
  cli.ok(['import', await tinyRootfs(), 'tiny']);
});
after(async () => await cli[Symbol.asyncDispose]());

const create = (...flags: readonly string[]): string =>
  cli.ok(['create', ...flags, '--network', 'none', 'tiny', 'true']).trim();
const mountsDir = (): string => `${cli.dataRoot}/image/overlay2/layerdb/mounts`;
const layers = (): string[] => readdirSync(`${cli.dataRoot}/overlay2`).filter((name) => name.length >= 64);

/** The exec root is in memory. */
function stopMachine(): void {
  assert.deepEqual(cli.mounts(), []);
  rmSync(cli.execRoot, { recursive: true });
  mkdirSync(cli.execRoot);
}

/** What a power cut makes of files that were not synced. */
function empty(folder: string, ...names: readonly string[]): void {
  for (const name of names) truncateSync(`${folder}/${name}`, 0);
}

test('a container that was not to outlive the machine goes, whatever is left of it', () => {
  const before = layers();
  const id = create();
  const folder = `${cli.dataRoot}/containers/${id}`;
  const mountId = readFileSync(`${mountsDir()}/${id}/mount-id`, 'utf8');
  // As `run --rm` makes it.
  renameSync(`${folder}/hostconfig.json`, `${folder}/tsengine-void`);
  empty(folder, 'config.v2.json', 'tsengine-void');
  empty(`${mountsDir()}/${id}`, 'mount-id', 'init-id', 'parent');
  empty(`${cli.dataRoot}/overlay2/${mountId}`, 'link', 'lower');
  stopMachine();
  const listed = cli.run(['ps', '-a', '--format', '{{.ID}}']);
  assert.deepEqual([listed.stdout, listed.stderr], ['', '']);
  assert.equal(existsSync(folder), false);
  assert.deepEqual(readdirSync(mountsDir()), []);
  assert.deepEqual(layers(), before);
  const names = readdirSync(`${cli.dataRoot}/overlay2/l`);
  assert.equal(names.length, layers().length, 'no short name is left');
});

test('volumes that nobody named go with such a container, though nothing is left of the file that names them', () => {
  const volumes = (): string[] => readdirSync(`${cli.dataRoot}/volumes`).filter((name) => name.length === 64);
  const note = (id: string): string => readFileSync(`${cli.dataRoot}/containers/${id}/volumes`, 'utf8');
  // Of one that stays the note goes when its own file is on the disk.
  const plain = create('-v', '/data');
  assert.throws(() => note(plain), /ENOENT/);
  create('--rm', '-v', '/data', '--name', 'later');
  const job = ['--network', 'none', 'tiny', 'sh', '-c', 'while [ ! -e /data/end ]; do sleep 0.1; done'];
  const running = cli.ok(['run', '-d', '--rm', '-v', '/data', ...job]).trim();
  cli.ok(['start', '-a', 'later']);
  assert.equal(volumes().length, 2);
  assert.match(note(running), /^[0-9a-f]{64}\n$/);
  const name = note(running).trim();
  const folder = `${cli.dataRoot}/containers/${running}`;
  const left = `${folder}-left`;
  cpSync(folder, left, { recursive: true });
  cli.ok(['rm', '-f', running]);
  assert.deepEqual(volumes().length, 1);
  // As the power cut leaves it that came while it ran.
  renameSync(left, folder);
  mkdirSync(`${cli.dataRoot}/volumes/${name}/_data`, { recursive: true });
  empty(folder, 'config.v2.json', 'hostconfig.json');
  assert.equal(volumes().length, 2);
  stopMachine();
  assert.equal(cli.ok(['ps', '-aq', '--no-trunc']).trim(), plain);
  assert.equal(existsSync(folder), false);
  assert.equal(volumes().length, 1);
  assert.notEqual(volumes()[0], name);
  cli.ok(['rm', '-v', plain]);
  assert.deepEqual(volumes(), []);
});

test('create --rm outlives a stop of the machine, as with Docker, and one that was started does not', () => {
  const made = create('--rm', '--name', 'made');
  stopMachine();
  assert.equal(cli.ok(['ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}}']), `${made} made\n`);
  cli.ok(['start', '-a', 'made']);
  assert.equal(cli.ok(['ps', '-aq']), '');
});

test('a layer of a container that is gone goes when we made it, and stays when Docker did', () => {
  const before = layers();
  const [ours, dockers] = [create(), create()];
  for (const id of [ours, dockers]) rmSync(`${cli.dataRoot}/containers/${id}`, { recursive: true });
  const note = readdirSync(`${mountsDir()}/${dockers}`).find((name) => name.startsWith('tsengine-'));
  rmSync(`${mountsDir()}/${dockers}/${note}`);
  stopMachine();
  assert.equal(cli.ok(['ps', '-aq']), '');
  assert.deepEqual(readdirSync(mountsDir()), [dockers]);
  assert.equal(layers().length, before.length + 2, 'a layer and its init layer');
});

test('a mount point that the machine left is removed, and nothing that runs is touched', () => {
  const id = create('--name', 'plain');
  const layer = readFileSync(`${mountsDir()}/${id}/mount-id`, 'utf8');
  mkdirSync(`${cli.dataRoot}/overlay2/${layer}/merged`);
  stopMachine();
  cli.ok(['start', '-a', 'plain']);
  assert.equal(existsSync(`${cli.dataRoot}/overlay2/${layer}/merged`), false);
  const running = cli.ok(['run', '-d', '--rm', '--network', 'none', 'tiny', 'sleep', '1000']).trim();
  rmSync(`${cli.execRoot}/settled-overlay2`);
  assert.match(cli.ok(['ps', '-q', '--no-trunc']), new RegExp(running));
  cli.ok(['rm', '-f', running, 'plain']);
});
