/**
 * The volume of programs that containers get, so that images stay small and all engines use the same: Node, the program that
 * measures, and fio, sqlite3 and others with the libraries of this machine that they need. It is kept in a cache folder: made aside, renamed.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import * as z from 'zod/mini';
import { findProgram } from '../../../src/engine/runtime/programs.ts';
import { hasErrno } from '../../../src/errors.ts';
import { missingTool, runTool } from '../../../src/lab/matrix/tool.ts';
import { readText } from '../../../src/linux/files.ts';
import { once } from '../../../src/once.ts';
import { type AgentFiles, agentFiles } from './agent-files.ts';
import { directory, type Entry, type Layer, layerTar } from './images.ts';
import { sourceTree } from './trees.ts';

/** Programs that workloads may need, and the Debian packages that bring them. */
export const TOOL_PACKAGES = {
  fio: 'fio',
  sqlite3: 'sqlite3',
  tar: 'tar',
  filefrag: 'e2fsprogs',
} as const;

/** What every volume has, of packages that no Debian lacks: a container of them is small. */
const ALWAYS = ['sh', 'true', 'dd', 'sleep'] as const;

/** See `TOOL_PACKAGES`. */
export type Tool = keyof typeof TOOL_PACKAGES;

/** Where containers see it. */
export const TOOLS = '/tools';

/** The volume, ready. */
export interface Tools {
  /** The folder that is to be seen at `TOOLS`. */
  readonly folder: string;
  /** The words that start the program in the container. */
  readonly command: readonly string[];
  /** The environment that it needs, as an image has it. */
  readonly environment: readonly string[];
  /** The layer that every image begins with: the mount points, and the dynamic loader where programs look for it. */
  readonly base: Layer;
  /** Versions of the programs by their names. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Where it is kept; TSENGINE_BENCH_CACHE overrides. */
export function benchCache(root: string): string {
  const chosen = process.env.TSENGINE_BENCH_CACHE ?? '';
  if (chosen !== '') return chosen;
  return existsSync(join(root, 'src/cli/main.ts'))
    ? join(root, '.cache/bench-suite')
    : '/var/cache/tsengine/bench';
}

/** Fails with a line that names the package when one of them is not installed. */
export function mustHaveTools(tools: readonly Tool[]): void {
  for (const tool of tools) if (findProgram(tool) === undefined) throw missingTool(tool, TOOL_PACKAGES[tool]);
}

/** What is known of a volume, in a file of it. */
const factsSchema = once(() =>
  z.object({
    /** The path of the dynamic loader in programs. */
    loader: z.string(),
    /** The file of the agent that is started. */
    main: z.string(),
    versions: z.record(z.string(), z.string()),
  }),
);

type Facts = z.infer<ReturnType<typeof factsSchema>>;

const FACTS = 'volume.json';

/** Makes the volume with these programs, or finds it in the cache. Gives its folder. */
export function prepareTools(cache: string, wanted: readonly Tool[]): string {
  mustHaveTools(wanted);
  const programs = [
    { name: 'node', path: process.execPath },
    ...[...ALWAYS, ...wanted].map((name) => ({ name, path: realpathSync(findProgram(name) ?? name) })),
  ];
  const agent = agentFiles();
  const folder = join(cache, `tools-${identity(programs, agent)}`);
  if (existsSync(folder)) {
    const now = new Date();
    utimesSync(folder, now, now);
    return folder;
  }
  const facts: Facts = {
    loader: loaderOf(process.execPath),
    main: agent.main,
    versions: Object.fromEntries([
      ['node', process.version],
      ...wanted.map((tool) => [tool, versionOf(tool)] as const),
    ]),
  };
  makeAside(cache, folder, (aside) => {
    fill(aside, programs, agent);
    writeFileSync(join(aside, FACTS), JSON.stringify(facts));
  });
  return folder;
}

/** A volume that was made, here or on another machine. */
export function openTools(folder: string): Tools {
  const { loader, main, versions } = factsSchema().parse(JSON.parse(readText(join(folder, FACTS))));
  const parents = loader
    .split('/')
    .slice(1, -1)
    .map((_, index, parts) => directory(parts.slice(0, index + 1).join('/')));
  const base: readonly Entry[] = [
    ...parents,
    { kind: 'link', path: loader.slice(1), target: `${TOOLS}/lib/${basename(loader)}` },
    ...['tools', 'bench', 'mounted', 'gate', 'tmp', 'etc', 'proc', 'sys', 'dev'].map(directory),
  ];
  return {
    folder,
    command: [`${TOOLS}/bin/node`, `${TOOLS}/agent/${main}`],
    environment: [`PATH=${TOOLS}/bin`, `LD_LIBRARY_PATH=${TOOLS}/lib`],
    base,
    versions,
  };
}

interface Program {
  readonly name: string;
  readonly path: string;
}

function identity(programs: readonly Program[], agent: AgentFiles): string {
  const hash = createHash('sha256').update('3');
  for (const { name, path } of programs) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${name} ${path} ${size} ${mtimeMs}\0`);
  }
  hash.update(JSON.stringify(agent.files));
  return hash.digest('hex').slice(0, 16);
}

/** The libraries of a program by their paths, the dynamic loader among them. */
function librariesOf(program: string): string[] {
  return runTool('ldd', [program], 'libc-bin')
    .split('\n')
    .flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

function loaderOf(program: string): string {
  const loader = librariesOf(program).find((path) => /\/ld-linux[^/]*$/.test(path));
  if (loader === undefined) throw missingTool('the dynamic loader of glibc', 'libc6');
  return loader;
}

function fill(aside: string, programs: readonly Program[], agent: AgentFiles): void {
  for (const name of ['bin', 'lib', 'agent']) mkdirSync(join(aside, name));
  for (const { name, path } of programs) {
    copyFileSync(path, join(aside, 'bin', name));
    chmodSync(join(aside, 'bin', name), 0o755);
    for (const library of librariesOf(path))
      if (!existsSync(join(aside, 'lib', basename(library))))
        copyFileSync(library, join(aside, 'lib', basename(library)));
  }
  for (const [name, text] of Object.entries(agent.files)) writeFileSync(join(aside, 'agent', name), text);
  writeFileSync(join(aside, 'package.json'), '{"type":"module"}\n');
  const archive = openSync(join(aside, 'source-tree.tar'), 'wx');
  for (const piece of layerTar(sourceTree('tree'))) writeSync(archive, piece);
  closeSync(archive);
}

/** Makes a folder beside where it is to be, and renames it. */
function makeAside(cache: string, folder: string, make: (aside: string) => void): void {
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(join(cache, 'new-'));
  chmodSync(aside, 0o755);
  try {
    make(aside);
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    // Another run was first.
    if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  }
  removeOld(cache);
}

/** Days after which a volume that nobody used goes: no run takes as long. */
const KEPT_DAYS = 30;

function removeOld(cache: string): void {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (/^(?:tools|new)-/.test(name) && age > KEPT_DAYS * 86_400_000)
      rmSync(path, { recursive: true, force: true });
  }
}

function versionOf(tool: Tool): string {
  const flag = tool === 'filefrag' ? '-V' : '--version';
  try {
    const [line = ''] = runTool(tool, [flag], TOOL_PACKAGES[tool]).split('\n');
    return line.replace(new RegExp(`^${tool}[- ]`), '').slice(0, 80);
  } catch {
    return 'unknown';
  }
}
