/**
 * Bundles src/ into dist/: `build.ts [--outdir DIR]`. Written aside and renamed into place, so that a process that starts
 * meanwhile finds either the old bundle or the new one. A crash leaves a `dist.new-*` folder, which the next build removes.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type Metafile } from 'esbuild';
import { lazyBuiltins } from './lazy-builtins.ts';

const root = resolve(import.meta.dirname, '..');
const { values } = parseArgs({ options: { outdir: { type: 'string', default: join(root, 'dist') } } });
const outdir = resolve(values.outdir);
const started = new Date();

const aside = prepareAside(outdir);
const metafile = await bundle(aside);
writeFileSync(join(aside, 'LICENSES.txt'), licences(metafile));
// bin/tsengine compares sources against this time: an edit made during the build must count as newer.
utimesSync(join(aside, 'cli/main.js'), started, started);
swapIn(aside, outdir);
// What bin/tsengine keeps there is of the bundle that is gone.
if (outdir === join(root, 'dist'))
  rmSync(join(root, '.cache/compile-cache'), { recursive: true, force: true });

const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
const elapsed = ((Date.now() - started.getTime()) / 1000).toFixed(2);
console.log(
  `built ${basename(outdir)}/: ${Object.keys(metafile.outputs).length} files, ${Math.ceil(bytes / 1024)} KiB, ${elapsed} s`,
);

/** Runs esbuild into `folder`. Where it fails it has said why; nothing is left. */
async function bundle(folder: string): Promise<Metafile> {
  try {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: entryPoints(),
      outdir: folder,
      outbase: 'src',
      // Chunks lie one folder below the root like the entry points do: src/linux/worker-url.ts relies on it.
      chunkNames: 'chunks/[name]-[hash]',
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      packages: 'bundle',
      external: ['koffi'],
      minifyWhitespace: true,
      minifySyntax: true,
      legalComments: 'none',
      metafile: true,
      logLevel: 'warning',
      define: buildInfo(),
      plugins: [lazyBuiltins],
    });
    return metafile;
  } catch {
    rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  }
}

/** The command line and every worker thread's first file. */
function entryPoints(): string[] {
  return ['src/cli/main.ts', ...globSync('src/*/*-worker.ts', { cwd: root })];
}

/** An empty folder beside `target`, on its file system; what earlier builds left there is removed. */
function prepareAside(target: string): string {
  const prefix = `${basename(target)}.new-`;
  for (const name of readdirSync(dirname(target))) {
    if (name.startsWith(prefix)) rmSync(join(dirname(target), name), { recursive: true, force: true });
  }
  const folder = mkdtempSync(join(dirname(target), prefix));
  chmodSync(folder, 0o755);
  return folder;
}

/** Puts `fresh` where `target` is. Two renames: a launcher between them runs the sources. */
function swapIn(fresh: string, target: string): void {
  const old = `${fresh}-old`;
  if (existsSync(target)) renameSync(target, old);
  renameSync(fresh, target);
  rmSync(old, { recursive: true, force: true });
}

/** The constants that src/version.ts declares: version from package.json, commit and its time from git where there is one. */
function buildInfo(): Record<string, string> {
  const manifest: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const [commit = '', built = ''] = git('log', '-1', '--format=%h %cI').trim().split(' ');
  const dirty = commit !== '' && git('status', '--porcelain', '--untracked-files=no') !== '';
  return {
    TSENGINE_VERSION: JSON.stringify(manifest.version),
    TSENGINE_GIT_COMMIT: JSON.stringify(dirty ? `${commit}-dirty` : commit),
    TSENGINE_BUILT: JSON.stringify(built),
  };
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

/** The licences of the packages whose code is in the bundle, as they ask for. */
function licences(bundled: Metafile): string {
  const packages = new Set<string>();
  for (const input of Object.keys(bundled.inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match?.[1] !== undefined) packages.add(match[1]);
  }
  const texts = [...packages].sort().map((folder) => {
    const file = readdirSync(join(root, folder)).find((name) => /^licen[cs]e/i.test(name));
    const text =
      file === undefined ? '(no licence file)' : readFileSync(join(root, folder, file), 'utf8').trim();
    return `${folder.replace(/^.*node_modules\//, '')}\n\n${text}\n`;
  });
  return `This bundle contains code of the following packages.\n\n${texts.join(`\n${'-'.repeat(72)}\n\n`)}`;
}
