/**
 * Bundles src/ into dist/: `build.ts [--outdir DIR]`. Written aside and renamed into place, so that a process that starts
 * meanwhile finds either the old bundle or the new one. A crash leaves a `dist.new-*` folder, which the next build removes.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
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
import { build, type Metafile, type Plugin } from 'esbuild';
import { lazyBuiltins } from './lazy-builtins.ts';

const root = resolve(import.meta.dirname, '..');
const { values } = parseArgs({ options: { outdir: { type: 'string', default: join(root, 'dist') } } });
const outdir = resolve(values.outdir);
const started = new Date();

const aside = prepareAside(outdir);
const metafiles = await bundle(aside);
writeFileSync(join(aside, 'LICENSES.txt'), licences(metafiles));
writeFileSync(join(aside, 'package.json'), '{"type":"commonjs"}\n');
// bin/tsengine compares sources against this time: an edit made during the build must count as newer.
utimesSync(join(aside, 'cli/main.js'), started, started);
swapIn(aside, outdir);
// What bin/tsengine keeps there is of the bundle that is gone.
if (outdir === join(root, 'dist'))
  rmSync(join(root, '.cache/compile-cache'), { recursive: true, force: true });

const outputs = metafiles.flatMap((metafile) => Object.values(metafile.outputs));
const bytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
const elapsed = ((Date.now() - started.getTime()) / 1000).toFixed(2);
console.log(
  `built ${basename(outdir)}/: ${outputs.length} files, ${Math.ceil(bytes / 1024)} KiB, ${elapsed} s`,
);

/**
 * Runs esbuild into `folder`. Where it fails it has said why; nothing is left.
 *
 * CommonJS, in four kinds of files: the first file of every command, small, because it answers `version` by itself; the program in
 * one file, because each further file costs a millisecond to find, check and link (25 ms for `run` with shared chunks),
 * while modules that a command does not import are not even compiled; the program once more with the commands that are rare, because
 * each 100 KiB cost every command 3 ms, and whole, because two files that share modules would have two classes of each error;
 * and each worker thread's.
 */
async function bundle(folder: string): Promise<readonly Metafile[]> {
  const workers = globSync('src/*/*-worker.ts', { cwd: root });
  try {
    const program = await bundleInto(folder, ['src/cli/program.ts', ...workers], [rareApart()]);
    const rare = await bundleInto(folder, [{ in: 'src/cli/program.ts', out: 'cli/rare' }]);
    const id = programId(join(folder, 'cli/program.js'));
    const define = { TSENGINE_PROGRAM_ID: JSON.stringify(id) };
    return [program, rare, await bundleInto(folder, ['src/cli/main.ts'], [programApart()], define)];
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    // What esbuild finds it prints.
    if (!(error instanceof Error && 'errors' in error)) console.error(error);
    process.exit(1);
  }
}

/** A hash of the program, by which src/cli/code-cache.ts knows what was compiled of it, and which takes it for ASCII. */
function programId(file: string): string {
  const text = readFileSync(file);
  if (text.some((byte) => byte >= 0x80)) throw new Error(`${file} is not ASCII`);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

async function bundleInto(
  folder: string,
  entryPoints: string[] | { in: string; out: string }[],
  plugins: readonly Plugin[] = [],
  define: Readonly<Record<string, string>> = {},
): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints,
    outdir: folder,
    // Every file lies one folder below the root as its source does: src/linux/worker-url.ts relies on it.
    outbase: 'src',
    bundle: true,
    // Node gets to the first line of a CommonJS file 3 ms earlier, and links none of its imports.
    format: 'cjs',
    supported: { 'dynamic-import': false },
    define: {
      ...buildInfo(),
      ...guestAgent(),
      ...(await benchAgent()),
      ...define,
      'import.meta.url': 'thisFile',
    },
    banner: { js: "const thisFile=require('node:url').pathToFileURL(__filename).href;" },
    platform: 'node',
    target: 'node24',
    packages: 'bundle',
    // Found beside the bundle when it is asked for, or not there: see bench/suite/report/png.ts.
    external: ['koffi', 'chartjs-node-canvas'],
    // Every byte is read, decoded and hashed at each start: short names save 4 ms.
    minify: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
    plugins: [...plugins, lazyBuiltins],
  });
  return metafile;
}

/** Leaves `import('./program.ts')` of the first file as an import of the file that is bundled from it. */
function programApart(): Plugin {
  return {
    name: 'program-apart',
    setup({ onResolve }) {
      onResolve({ filter: /\/program\.ts$/ }, ({ path }) => ({
        path: path.replace(/\.ts$/, '.js'),
        external: true,
      }));
    },
  };
}

/** Leaves what src/cli/commands/rare.ts imports to the program that has all commands. */
function rareApart(): Plugin {
  return {
    name: 'rare-apart',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ importer, kind }) =>
        kind === 'dynamic-import' && importer.endsWith('/commands/rare.ts')
          ? { path: './rare.js', external: true }
          : undefined,
      );
    },
  };
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

/** The text of the lab's program in machines, which src/lab/guest-agent.ts declares. */
function guestAgent(): Record<string, string> {
  const text = readFileSync(join(root, 'src/lab/guest-agent.py'), 'utf8');
  return { TSENGINE_GUEST_AGENT: JSON.stringify(text) };
}

/** The program of the benchmark in containers, in one piece, which bench/suite/measure/agent-files.ts declares. */
async function benchAgent(): Promise<Record<string, string>> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ['bench/suite/agent/main.ts'],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    write: false,
    logLevel: 'warning',
  });
  return { TSENGINE_BENCH_AGENT: JSON.stringify(outputFiles[0]?.text ?? '') };
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

/** The licences of the packages whose code is in the bundle, as they ask for. */
function licences(bundled: readonly Metafile[]): string {
  const packages = new Set<string>();
  for (const input of bundled.flatMap(({ inputs }) => Object.keys(inputs))) {
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
