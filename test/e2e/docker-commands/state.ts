/**
 * The state that both engines are asked about: made by Docker, copied while nobody works on it, and from then on Docker's
 * to keep in the original and tsengine's in the copy. Ids are the same on both sides because the files are.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { gzipSync } from 'node:zlib';
import { tinyRootfs } from '../../helpers/base-image.ts';
import { type Cli, openCli } from '../../helpers/cli.ts';
import { type Docker, startDocker } from '../../helpers/docker.ts';
import { tarOf } from '../../helpers/images.ts';
import { ageContainers, setDigest, setParents } from './state-files.ts';
import { archiveOf, makeImages, type StateImage } from './state-images.ts';
import { expand, splitWords } from './words.ts';

/** Both engines on equal state. Dispose of it at the end. */
export interface Pair extends AsyncDisposable {
  readonly docker: Docker;
  readonly tsengine: Cli;
  /** Archives for both to read. */
  readonly files: string;
  /** Where the state was made, which the files of both copies say. */
  readonly madeAt: string;
  /** What rows mean by `$(name)`: full ids of images and containers, the folder `files`, ambiguous prefixes. */
  readonly values: ReadonlyMap<string, string>;
  /** All ids that the state holds: of images, layers, containers, volumes, networks. */
  readonly known: ReadonlySet<string>;
}

/** The containers, in the order in which they are made. */
const CONTAINERS: readonly (readonly [name: string, words: string])[] = [
  ['plain', 'run tool true'],
  ['web', 'run -l tier=front -l com.example.owner=ann -e COLOR=red -v store:/var/cache shop/app:2.0 true'],
  ['job', 'run -l tier=back --label empty -w /tmp shop/base:1.0 sh -c "echo done; exit 3"'],
  [
    'changed',
    'run tool sh -c "echo a > /new; mkdir -p /made/deep; echo b >> /etc/passwd; rm /bin/vi; rm -r /root"',
  ],
  [
    'logger',
    'run -l tier=front -e COLOR=red --log-opt labels=tier --log-opt env=COLOR tool sh -c "echo one; echo two >&2; echo; echo three; printf four"',
  ],
  ['mute', 'run --log-driver none tool echo unheard'],
  ['broken', 'run tool nosuchprogram'],
  ['cached', 'run -v /cache --tmpfs /scratch tool sh -c "exit 137"'],
  [
    'fresh',
    'create --hostname h -u 1000:1000 --read-only --cap-add NET_ADMIN --network none shop/base:1.0 sleep 1',
  ],
  ['sleeper', 'create --stop-signal KILL --stop-timeout 1 --network none tool sleep 1000'],
  ['by-id', 'create $(tool) true a-rather-long-argument "with spaces"'],
  ['moved', 'create moving:1 true'],
  ['user.of_gone', 'create gone:1 true'],
];

/** Makes it all. Takes about ten seconds. */
export async function makePair(): Promise<Pair> {
  const tiny = readFileSync(await tinyRootfs());
  const images = makeImages(tiny);
  const values = new Map(images.map(({ key, image }) => [key, image.id.slice(7)]));
  const tsengine = openCli('overlay2');
  const files = mkdtempSync(`${tmpdir()}/ts-files-`);
  const first = await startDocker();
  let second: Docker | undefined;
  const dispose = async () => {
    await second?.[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    await tsengine[Symbol.asyncDispose]();
    rmSync(files, { recursive: true, force: true });
  };
  try {
    await fill(first, images, values);
    await first.stop();
    const { dataRoot } = first;
    setParents(dataRoot, images);
    setDigest(dataRoot, 'tool', `sha256:${values.get('tool')}`);
    ageContainers(dataRoot);
    const known = idsIn(dataRoot);
    execFileSync('cp', ['-a', `${dataRoot}/.`, tsengine.dataRoot]);
    writeFiles(files, tiny, archiveOf(images.slice(0, 1)));
    values.set('files', files);
    second = await startDocker({ dataRoot });
    return {
      docker: second,
      tsengine,
      files,
      madeAt: dataRoot,
      values,
      known,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Loads the images and makes the containers; writes down what ids they have. */
async function fill(docker: Docker, images: readonly StateImage[], values: Map<string, string>) {
  const loaded = await docker.try(['load', '-q'], archiveOf(images));
  assert.equal(loaded.code, 0, loaded.stderr);
  for (const [name, line] of CONTAINERS) {
    const [verb = '', ...words] = splitWords(expand(line, values));
    const network = line.includes('--network') ? [] : ['--network', 'none'];
    await docker.try([verb, '--name', name, ...network, ...words]);
    values.set(`c-${name}`, await docker('inspect', '--format', '{{.Id}}', name));
  }
  // By now the name `moving` means another image, and `gone` means none.
  await docker('tag', 'moved:1', 'moving:1');
  await docker('rmi', '-f', 'gone:1', 'moved:1');
  values.set('many-images', (values.get('moved') ?? '').slice(0, 3));
  values.set('many-containers', await commonPrefix(docker));
}

/** A digit that the ids of several containers begin with: makes containers until there is one. */
async function commonPrefix(docker: Docker): Promise<string> {
  for (let extra = 0; ; extra++) {
    const digits = (await docker('ps', '-aq')).split('\n').map((id) => id.charAt(0));
    const twice = digits.find((digit, index) => digits.indexOf(digit) !== index);
    if (twice !== undefined) return twice;
    await docker('create', '--name', `extra-${extra}`, '--network', 'none', 'tool', 'true');
  }
}

/** All that looks like an id in the files and their names. */
function idsIn(dataRoot: string): Set<string> {
  const script = '{ find .; grep -rhoaE "[0-9a-f]{64}" image containers network; } | grep -oE "[0-9a-f]{64}"';
  const found = execFileSync('sh', ['-c', script], { cwd: dataRoot, encoding: 'utf8', maxBuffer: 1 << 28 });
  return new Set(found.split('\n'));
}

/** Archives, good and bad. */
function writeFiles(folder: string, tiny: Buffer, saved: Buffer): void {
  const root = tarOf([{ name: 'etc/' }, { name: 'etc/motd', content: 'hello\n' }]);
  const write = (name: string, content: Buffer | string) => writeFileSync(`${folder}/${name}`, content);
  write('root.tar', root);
  write('root.tar.gz', gzipSync(root));
  write('busybox.tar', tiny);
  write('saved.tar', saved);
  write('cut.tar', saved.subarray(0, 300_000));
  write('empty', '');
  write('garbage', 'this is no archive at all\n'.repeat(100));
  write('no-manifest.tar', tarOf([{ name: 'readme', content: 'nothing here' }]));
  mkdirSync(`${folder}/folder`);
}
