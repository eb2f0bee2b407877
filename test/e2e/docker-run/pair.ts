/** Docker and tsengine with the same images, and how a row's command lines are run on either. */
import { spawn } from 'node:child_process';
import { mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { openCli } from '../../helpers/cli.ts';
import { startDocker } from '../../helpers/docker.ts';
import { expand, splitWords } from '../docker-commands/words.ts';
import { removeCgroupParent } from './cgroup.ts';
import { tableImages } from './images.ts';
import { folderOnMount } from './propagation.ts';

/** How a command ended. */
export interface Answer {
  /** The exit code, or the signal that ended the client. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line; what it reads; what happens to it once it has said `after`. */
export interface Step {
  readonly line: string;
  readonly input?: string;
  /** A word on its standard output to wait for. */
  readonly after?: string;
  /** Another command line that is run then; its answer follows this one's. */
  readonly also?: string;
  /** A signal that the client gets in the end. */
  readonly send?: NodeJS.Signals;
}

/** One engine's command line. */
export interface Side {
  readonly program: 'docker' | 'tsengine';
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly dataRoot: string;
  /** The cgroup below which its containers are. */
  readonly cgroupParent: string;
}

/** Both engines. Dispose of them at the end. */
export interface Pair extends AsyncDisposable {
  readonly docker: Side;
  readonly tsengine: Side;
  /** The network namespace that both take for the host's. */
  readonly hostNetwork: string;
  /** A folder for the rows' own files. */
  readonly files: string;
}

/** A variable of the client's that rows pass on by name. */
const CLIENT = { TABLE_VALUE: 'from the client' };

/** Starts both and gives them the images. */
export async function makePair(): Promise<Pair> {
  await using made = new AsyncDisposableStack();
  const archive = await tableImages();
  // Binds with rslave and rshared need a source on a shared mount, and tsengine's data root is on one because dockerd would
  // make such a mount itself (docs/differences.md).
  const shared = made.use(folderOnMount('shared'));
  const files = shared.path;
  made.defer(removeCgroupParent);
  const docker = made.use(await startDocker());
  const cli = made.use(openCli('overlay2', files));
  // In the daemon's network namespace, so that `--network host` means the same to both.
  const network = `/proc/${docker.pid}/ns/net`;
  const theirs = await docker.try(['load'], archive);
  if (theirs.code !== 0) throw new Error(theirs.stderr);
  cli.ok(['load'], { input: archive });
  const all = made.move();
  return {
    docker: {
      program: 'docker',
      command: docker.command,
      env: { ...docker.env, ...CLIENT },
      dataRoot: docker.dataRoot,
      cgroupParent: '/docker',
    },
    tsengine: {
      program: 'tsengine',
      command: ['nsenter', `--net=${network}`, ...cli.command],
      env: { ...process.env, ...CLIENT },
      dataRoot: cli.dataRoot,
      cgroupParent: cli.cgroupParent,
    },
    hostNetwork: readlinkSync(network),
    files,
    [Symbol.asyncDispose]: async () => await all.disposeAsync(),
  };
}

/** Makes a row's folder for one side. A path that ends in a slash is a folder; `null` stands for none. */
export function makeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const path = `${folder}/${name}`;
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(path, content);
  }
}

/**
 * Runs one step; `values` are what `$(name)` means in it. Docker gets `--network none` where the row names no network,
 * which is what tsengine does by itself (docs/differences.md).
 */
export async function runStep(
  side: Side,
  step: Step,
  values: ReadonlyMap<string, string>,
): Promise<readonly Answer[]> {
  const words = wordsOf(side, step.line, values);
  const [program = '', ...before] = side.command;
  const child = spawn(program, [...before, ...words], { env: side.env, stdio: ['pipe', 'pipe', 'pipe'] });
  const also: Promise<readonly Answer[]>[] = [];
  let stdout = '';
  let stderr = '';
  let waiting = step.after !== undefined;
  child.stdout.on('data', (data) => {
    stdout += data;
    if (!waiting || !stdout.includes(step.after ?? '')) return;
    waiting = false;
    const other = step.also === undefined ? Promise.resolve([]) : runStep(side, { line: step.also }, values);
    also.push(other);
    void other.finally(() => step.send !== undefined && child.kill(step.send));
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  // One that does not read its input closes it: no error of ours.
  child.stdin.on('error', () => undefined);
  child.stdin.end(step.input ?? '');
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve(status ?? signal ?? 'unknown'));
  });
  return [{ code, stdout, stderr }, ...(await Promise.all(also)).flat()];
}

function wordsOf(side: Side, line: string, values: ReadonlyMap<string, string>): string[] {
  const words = splitWords(line).map((word) => expand(word, values));
  const [verb = '', ...rest] = words;
  const makes = verb === 'run' || verb === 'create';
  if (side.program === 'tsengine' || !makes || /--net(?:work)?\b/.test(line)) return words;
  return [verb, '--network', 'none', ...rest];
}
