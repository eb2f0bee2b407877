/** Docker 20.10.24 as an engine: a dockerd of our own, in a network namespace of its own. */
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../../../src/engine/runtime/programs.ts';
import { TsengineError } from '../../../src/errors.ts';
import { programRoot } from '../../../src/lab/place.ts';
import { CGROUPS } from './cgroups.ts';
import { type Engine, runEngine } from './engine.ts';

/** Where and on what. */
export interface DockerOptions {
  readonly driver: string;
  readonly dataRoot: string;
  /** A folder for its socket and its exec root, of its own, with a short path. */
  readonly work: string;
  readonly storageOptions: readonly string[];
}

interface Programs {
  readonly daemon: string;
  readonly client: string;
  readonly env: NodeJS.ProcessEnv;
}

/** How long it may take to answer, and to end, in milliseconds. */
const PATIENCE = 60_000;
/** How long it is given for what it does after a client has ended: it has no way of telling. */
const AFTERWORK = 50;

/** The version of the dockerd that would be taken; fails with `Unavailable` where there is none. */
export async function mustHaveDocker(): Promise<string> {
  const { daemon, env } = findDocker();
  const child = spawn(daemon, ['--version'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  return /version ([^,\s]+)/.exec(text)?.[1] ?? 'unknown';
}

/** Those that a checkout has unpacked (scripts/docker-peer.sh), else those that are installed. */
function findDocker(): Programs {
  const unpacked = join(programRoot, '.cache/docker-peer');
  if (existsSync(join(unpacked, 'usr/sbin/dockerd'))) {
    const path = `${unpacked}/usr/sbin:${unpacked}/usr/bin:${process.env.PATH ?? ''}`;
    const libraries = globSync(`${unpacked}/{usr/,}lib/*-linux-gnu`).join(':');
    return {
      daemon: join(unpacked, 'usr/sbin/dockerd'),
      client: join(unpacked, 'usr/bin/docker'),
      env: { ...process.env, PATH: path, LD_LIBRARY_PATH: libraries },
    };
  }
  const daemon = findProgram('dockerd');
  // Beside its daemon: a newer client may stand before it on the PATH.
  const client = findProgram('/usr/bin/docker', 'docker');
  if (daemon !== undefined && client !== undefined) return { daemon, client, env: process.env };
  throw new TsengineError('Unavailable', 'there is no dockerd to compare with: apt-get install docker.io');
}

/** Starts it and waits until it answers. */
export async function openDocker(options: DockerOptions): Promise<Engine> {
  const { daemon, client, env } = findDocker();
  const { work } = options;
  mkdirSync(work, { recursive: true });
  const [socket, log] = [`${work}/sock`, openSync(`${work}/log`, 'w')];
  const flags = [
    ...['--data-root', options.dataRoot, '--exec-root', `${work}/exec`, '-H', `unix://${socket}`],
    ...['-p', `${work}/pid`, '--storage-driver', options.driver, '--bridge', 'none', '--iptables=false'],
    ...['--exec-opt', CGROUPS],
    ...options.storageOptions.flatMap((option) => ['--storage-opt', option]),
  ];
  const child = spawn(
    'unshare',
    ['--net', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh', daemon, ...flags],
    {
      env,
      stdio: ['ignore', log, log],
    },
  );
  let isOver = false;
  child.on('error', () => {
    isOver = true;
  });
  child.on('exit', () => {
    isOver = true;
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    for (let waited = 0; !isOver && waited < PATIENCE; waited += 50) await sleep(50);
    child.kill('SIGKILL');
  };
  const engine: Engine = {
    name: 'docker',
    command: { words: [client, '-H', `unix://${socket}`], env },
    version: await mustHaveDocker(),
    quiet: async () => {
      await sleep(AFTERWORK);
    },
    [Symbol.asyncDispose]: stop,
  };
  for (let waited = 0; waited < PATIENCE && !isOver; waited += 100) {
    if (existsSync(socket) && (await answers(engine))) return engine;
    await sleep(100);
  }
  await stop();
  const said = readFileSync(`${work}/log`, 'utf8').trim().split('\n').at(-1) ?? '';
  throw new TsengineError('Unavailable', `dockerd did not start: ${said.slice(-400)}`);
}

async function answers(engine: Engine): Promise<boolean> {
  try {
    await runEngine(engine, 'version');
    return true;
  } catch {
    return false;
  }
}
