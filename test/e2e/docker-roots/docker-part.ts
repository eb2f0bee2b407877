/** Docker's part: it makes a data root with a bit of everything, says what is in it, and at last removes all of it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tinyRootfs } from '../../helpers/base-image.ts';
import type { Docker } from '../../helpers/docker.ts';
import {
  dockerArchive,
  type MadeImage,
  makeImage,
  manyLayers,
  streamOf,
  tarOf,
} from '../../helpers/images.ts';
import { type TreeEntry, tarTree } from '../../helpers/tar-tree.ts';
import { until } from '../../helpers/until.ts';

/** A small image of so many layers that can be run: a busybox, and layers that add, delete and hide. */
export async function runnable(layers: number, salt = ''): Promise<MadeImage> {
  return makeImage([readFileSync(await tinyRootfs()), ...manyLayers(layers - 1, salt)]);
}

/**
 * What the containers do. The first time they add, change and delete files and put a new directory in the place of one
 * from below, each time they say what they find, and they end with code 3.
 */
export const CHANGING = [
  'if [ -e /new ]; then echo again >> /new; cat /new /dir/in; ls /dir /bin/wget; exit 3; fi',
  'echo new > /new; echo x >> /etc/passwd; rm /bin/wget; rm -r /dir; mkdir /dir; echo in > /dir/in',
  'ln -s new /link; ln /new /other; mkfifo /pipe; chmod 700 /tmp; chown 7:8 /home /new; echo first; exit 3',
].join('; ');

const BUILD = tarOf([
  {
    name: 'Dockerfile',
    content: [
      'FROM three:1',
      'COPY copied /a/copied',
      'RUN echo ran > /ran && rm /file-0',
      'ENV BUILT=yes',
      'CMD ["sh", "-c", "cat /a/copied /ran; echo $BUILT; ls /file-0"]',
    ].join('\n'),
  },
  { name: 'copied', content: 'copied\n' },
]);

/** The names of the images that `dockerMakes` leaves. */
export const IMAGES = ['one:1', 'three:1', 'again:2', 'forty:1', 'gone:1', 'built:1', 'committed:1'];
/** The names of the containers that do not run. */
export const CONTAINERS = ['changed', 'volumes', 'fresh'];

/** Everything: images of 1, 3 and 40 layers, tags, a build, a commit, volumes, stopped containers and one that runs. */
export async function dockerMakes(docker: Docker): Promise<void> {
  const [one, three, forty] = [await runnable(1), await runnable(3), await runnable(40, 'f')];
  const gone = makeImage(manyLayers(2, 'gone'));
  const archive = dockerArchive([
    { image: one, tags: ['one:1'] },
    { image: three, tags: ['three:1', 'again:2'] },
    { image: forty, tags: ['forty:1'] },
    { image: gone, tags: ['gone:1'] },
  ]);
  const loaded = await docker.try(['load', '-q'], archive);
  assert.equal(loaded.code, 0, loaded.stderr);
  const built = await docker.try(['build', '-q', '--network', 'none', '-t', 'built:1', '-'], BUILD);
  assert.equal(built.code, 0, built.stderr);
  const run = ['run', '--network', 'none'];
  assert.equal((await docker.try([...run, '--name', 'changed', 'forty:1', 'sh', '-c', CHANGING])).code, 3);
  await docker('commit', '-m', 'by Docker', '-c', 'ENV C=d', 'changed', 'committed:1');
  const script = 'echo line >> /data/kept; cat /data/kept; ls /anonymous';
  const volumes = ['-v', 'data:/data', '-v', '/anonymous'];
  await docker(...run, '--name', 'volumes', ...volumes, 'one:1', 'sh', '-c', script);
  await docker('create', '--name', 'fresh', '--network', 'none', 'three:1', 'sh');
  const live = 'echo up >> /live; cat /live; exec sleep 1000';
  await docker(...run, '-d', '--stop-signal', 'KILL', '--name', 'live', 'three:1', 'sh', '-c', live);
  await until(async () => (await docker('logs', 'live')) === 'up');
}

/** What a data root is said to hold. */
export interface Account {
  readonly images: readonly string[];
  readonly inspected: unknown;
  readonly histories: readonly string[];
  readonly containers: readonly string[];
  readonly inspectedContainers: unknown;
  readonly diffs: readonly (readonly string[])[];
  /** The files of the archives of some images. */
  readonly saved: readonly ReadonlyMap<string, TreeEntry>[];
  /** What the archive of all images says that it holds. */
  readonly manifest: unknown;
}

const lines = (text: string): string[] => text.trim().split('\n').toSorted();

/** What is asked about: names. */
export interface Asked {
  readonly images: readonly string[];
  readonly containers: readonly string[];
  /** Images whose history is asked for and which are saved each in an archive of its own, as well as all in one. */
  readonly alone: readonly string[];
}

/** What `dockerMakes` leaves, but for the container that runs and the image that shares all with another. */
export const MADE: Asked = {
  images: IMAGES,
  containers: CONTAINERS,
  alone: IMAGES.filter((name) => name !== 'again:2' && name !== 'gone:1'),
};

/** Asks one of the two about images and about containers that do not run. */
export async function account(
  ask: (...args: string[]) => string | Promise<string>,
  save: (...names: string[]) => Buffer | Promise<Buffer>,
  { images, containers, alone }: Asked,
): Promise<Account> {
  const history = ['history', '--no-trunc', '--format', '{{.ID}} {{.CreatedBy}} {{.Size}} {{.Comment}}'];
  const shown = '{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}} {{.CreatedAt}}';
  const histories: string[] = [];
  for (const name of alone) histories.push((await ask(...history, name)).trim());
  const diffs: string[][] = [];
  for (const name of containers) diffs.push(lines(await ask('diff', name)));
  const saved: Map<string, TreeEntry>[] = [];
  for (const name of alone) saved.push(await withoutTimes(await save(name)));
  const listed = ['ps', '-a', '--no-trunc', '--format', '{{.Names}} {{.ID}} {{.Image}} {{.Command}}'];
  return {
    images: lines(await ask('images', '-a', '--no-trunc', '--format', shown)),
    inspected: JSON.parse(await ask('inspect', ...images)),
    histories,
    containers: lines(await ask(...listed)),
    inspectedContainers: sortMounts(JSON.parse(await ask('inspect', '-s', ...containers))),
    diffs,
    saved,
    manifest: manifestOf(await save(...images)),
  };
}

/** Docker gives a folder without a layer of its own the time of the day. */
async function withoutTimes(archive: Buffer): Promise<Map<string, TreeEntry>> {
  const tree = await tarTree(streamOf(archive));
  return new Map([...tree].map(([name, entry]) => [name, { ...entry, mtime: '' }] as const));
}

/** Docker takes several images in no order. */
function manifestOf(archive: Buffer): unknown {
  const read = (name: string): unknown =>
    JSON.parse(execFileSync('tar', ['-xO', name], { input: archive, maxBuffer: 1 << 28 }).toString());
  const manifest = read('manifest.json');
  assert.ok(Array.isArray(manifest));
  const images = manifest.map((item) => JSON.stringify({ ...item, RepoTags: item.RepoTags?.toSorted() }));
  return { images: images.toSorted(), repositories: read('repositories') };
}

/** Docker gives mounts in no order. */
function sortMounts(shown: { Mounts: { Destination: string }[] }[]): unknown {
  return shown.map((one) => ({
    ...one,
    Mounts: one.Mounts.toSorted((a, b) => (a.Destination < b.Destination ? -1 : 1)),
  }));
}

/** The same of Docker. `folder` is for its archive. */
export async function dockersAccount(docker: Docker, folder: string, asked: Asked = MADE): Promise<Account> {
  const save = async (...names: string[]): Promise<Buffer> => {
    await docker('save', '-o', `${folder}/docker-save.tar`, ...names);
    return readFileSync(`${folder}/docker-save.tar`);
  };
  return await account(docker, save, asked);
}

/** Removes all that Docker knows of. */
export async function dockerRemovesAll(docker: Docker): Promise<void> {
  const ids = async (...args: string[]): Promise<string[]> =>
    [...new Set(lines(await docker(...args)))].filter((id) => id !== '');
  for (const id of await ids('ps', '-aq')) await docker('rm', '-f', '-v', id);
  // Images that others were made from go after these: a step of a build goes with the last of its children.
  for (let left = await ids('images', '-aq'), before = -1; left.length > 0 && left.length !== before; ) {
    before = left.length;
    for (const id of left) await docker.try(['rmi', '-f', id]);
    left = await ids('images', '-aq');
  }
  for (const id of await ids('volume', 'ls', '-q')) await docker('volume', 'rm', id);
  assert.deepEqual(await ids('images', '-aq'), []);
}
