/**
 * The images that engines are measured on, as archives in .cache/bench/, made once of the packages of the machine's
 * Debian mirror. A folder is complete or not there: it is made aside and renamed.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, resolve } from 'node:path';
import { makeImage } from '../test/helpers/images.ts';
import { layerOfFiles, smallFiles } from './stream-image.ts';

const root = resolve(import.meta.dirname, '..');
const cache = `${root}/.cache/bench`;

/** Raised when the archives' making changes. */
const version = 1;

/** One image in one form. */
export interface ImageFixture {
  /** What `load` reads: what `docker save` writes, but for how the layers are compressed. */
  readonly archive: string;
  readonly tag: string;
  /** The same layers, each as a file, from the lowest. */
  readonly layers: readonly string[];
}

/** How an image's layers are compressed, and how many there are. */
export type Form = 'plain' | 'gzip' | 'zstd' | 'layers';

/** What compresses a layer in each form, and the end of its name. */
const compressors: Readonly<Record<Form, { readonly argv?: readonly string[]; readonly end: string }>> = {
  plain: { end: '' },
  layers: { end: '' },
  gzip: { argv: ['gzip', '-n'], end: '.gz' },
  zstd: { argv: ['zstd', '-q'], end: '.zst' },
};

/** Layers of the image that has many. */
const manyLayers = 10;

/** An image of Debian with a compiler, Perl, Python and git: about 450 MB and 12 000 entries. */
export function largeImage(form: Form): ImageFixture {
  const source = baseTar('large');
  return imageOf(source, form, `bench:${form}`);
}

/** What the image of `tinyArchive` is called. */
export const tinyTag = 'bench:tiny';

/** An image of a static busybox, 2 MB. */
export function tinyArchive(): string {
  return imageOf(baseTar('tiny'), 'plain', tinyTag).archive;
}

/** An image of one layer: ten thousand files of 4 KiB in a hundred directories, or one file of 1 GiB. */
export function plainImage(what: 'small-files' | 'large-file'): ImageFixture {
  const folder = `${cache}/${what}-${version}`;
  if (!existsSync(folder)) makeAside(folder, (aside) => writePlainLayer(`${aside}/${what}.tar`, what));
  return imageOf(`${folder}/${what}.tar`, 'plain', `bench:${what}`);
}

function writePlainLayer(path: string, what: 'small-files' | 'large-file'): void {
  const output = openSync(path, 'wx');
  const files = what === 'large-file' ? [{ path: 'large', bytes: 1 << 30 }] : smallFiles(10_000, 100, 4096);
  try {
    for (const chunk of layerOfFiles(files)) writeWhole(output, chunk);
  } finally {
    closeSync(output);
  }
}

function writeWhole(fd: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
}

/** The layer of that image. */
export function tinyLayer(): string {
  return baseTar('tiny');
}

function baseTar(kind: string): string {
  return (
    execFileSync('sh', [`${root}/scripts/base-image.sh`, kind], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .at(-1) ?? ''
  );
}

function imageOf(source: string, form: Form, tag: string): ImageFixture {
  const folder = `${cache}/${basename(source, '.tar')}-${form}-${version}`;
  if (!existsSync(folder)) makeAside(folder, (aside) => makeArchive(aside, source, form, tag));
  const names = readdirSync(folder).filter((name) => name.startsWith('layer-'));
  return { archive: `${folder}/image.tar`, tag, layers: names.sort().map((name) => `${folder}/${name}`) };
}

function makeAside(folder: string, make: (aside: string) => void): void {
  mkdirSync(cache, { recursive: true });
  // What was made of other packages before, and what a killed run left.
  const kind = (name: string) => name.replace(/^(base-[a-z]+)-[0-9a-f]+(-[a-z]+)-.*$/, '$1$2');
  for (const name of readdirSync(cache))
    if (kind(name) === kind(basename(folder))) rmSync(`${cache}/${name}`, { recursive: true, force: true });
  const aside = mkdtempSync(`${folder}.new-`);
  try {
    make(aside);
    // The cache belongs to the checkout's owner, whoever runs this.
    execFileSync('chown', ['-hR', '--reference', root, cache]);
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    throw error;
  }
}

/** Writes the layers, compressed, and the archive of them, into a folder. */
function makeArchive(folder: string, source: string, form: Form, tag: string): void {
  const { argv, end } = compressors[form];
  const plain = form === 'layers' ? splitLayers(folder, source) : [source];
  const work = `${folder}/work`;
  mkdirSync(work);
  const members = plain.map((path, index) => {
    const layer = `${folder}/layer-${String(index).padStart(2, '0')}.tar${end}`;
    if (path !== layer) compress(argv ?? ['cat'], path, layer);
    const diffId = sha256(path);
    const name = `${diffId}.tar`;
    linkSync(layer, `${work}/${name}`);
    return { name, diffId: `sha256:${diffId}` };
  });
  const empty = makeImage([]);
  const config = {
    ...JSON.parse(empty.config.toString()),
    history: history(members.length),
    rootfs: { type: 'layers', diff_ids: members.map(({ diffId }) => diffId) },
  };
  writeFileSync(`${work}/config.json`, JSON.stringify(config));
  const layers = members.map(({ name }) => name);
  writeFileSync(
    `${work}/manifest.json`,
    JSON.stringify([{ Config: 'config.json', RepoTags: [tag], Layers: layers }]),
  );
  execFileSync('tar', ['-cf', `${folder}/image.tar`, '-C', work, 'config.json', ...layers, 'manifest.json']);
  rmSync(work, { recursive: true });
}

function compress([file = '', ...words]: readonly string[], from: string, to: string): void {
  const [input, output] = [openSync(from, 'r'), openSync(to, 'wx')];
  try {
    execFileSync(file, words, { stdio: [input, output, 'inherit'] });
  } finally {
    closeSync(input);
    closeSync(output);
  }
}

function history(count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    created: '2024-05-06T07:08:09Z',
    created_by: `step ${index}`,
  }));
}

/** The tree of a tar, divided into layers of like size, each with the directories that lead to its files. */
function splitLayers(folder: string, source: string): string[] {
  const tree = `${folder}/tree`;
  mkdirSync(tree);
  execFileSync('tar', ['-xpf', source, '-C', tree, '--numeric-owner']);
  const list = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%y %s %P\\0'], {
    cwd: tree,
    maxBuffer: 1 << 28,
  });
  const entries = list
    .toString('latin1')
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => {
      const [, type = '', size = '', path = ''] = /^(.) (\d+) (.*)$/s.exec(line) ?? [];
      return { path, bytes: type === 'f' ? Number(size) : 0 };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  const groups = divide(entries, manyLayers);
  const paths = groups.map((group, index) => {
    const layer = `${folder}/layer-${String(index).padStart(2, '0')}.tar`;
    const names = withParents(group.map(({ path }) => path))
      .map((path) => `./${path}\0`)
      .join('');
    execFileSync(
      'tar',
      ['-cf', layer, '-C', tree, '--numeric-owner', '--no-recursion', '--null', '-T', '-'],
      { input: Buffer.from(names, 'latin1') },
    );
    return layer;
  });
  rmSync(tree, { recursive: true });
  return paths;
}

/** Divides a list in order into `count` parts of like size, each entry counting its bytes and a little for itself. */
export function divide<T extends { readonly bytes: number }>(entries: readonly T[], count: number): T[][] {
  const weight = ({ bytes }: T) => bytes + 4096;
  const total = entries.reduce((sum, entry) => sum + weight(entry), 0);
  const groups: T[][] = Array.from({ length: count }, () => []);
  let before = 0;
  for (const entry of entries) {
    groups[Math.min(count - 1, Math.floor((before * count) / total))]?.push(entry);
    before += weight(entry);
  }
  return groups;
}

/** Sorted paths with the directories above each, every one once and before what is in it. */
export function withParents(paths: readonly string[]): string[] {
  const seen = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/');
    for (let depth = 1; depth <= parts.length; depth++) seen.add(parts.slice(0, depth).join('/'));
  }
  return [...seen];
}

function sha256(path: string): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1 << 20);
  const file = openSync(path, 'r');
  try {
    for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer))
      hash.update(buffer.subarray(0, count));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

/** Reads files once, so that the first to be measured finds them in memory like the others. */
export function warm(paths: readonly string[]): void {
  for (const path of paths) execFileSync('cat', [path], { stdio: ['ignore', 'ignore', 'inherit'] });
}
