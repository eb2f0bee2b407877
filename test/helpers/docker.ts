/**
 * The peer: Debian's dockerd 20.10.24, one of a test's own, in a network namespace and in folders of its own, so that any
 * number of them can run at once.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findProgram } from '../../src/engine/runtime/programs.ts';
import { parseBoundingSet } from '../../src/engine/runtime/spec/capabilities.ts';
import { testRuntime } from './scope.ts';

const run = promisify(execFile);
const folder = peerFolder();
const CLIENT = `${folder}/usr/bin/docker`;
const DAEMON = `${folder}/usr/sbin/dockerd`;

/** Where scripts/docker-peer.sh has unpacked it, unless it is installed. */
function peerFolder(): string {
  const unpacked = fileURLToPath(new URL('../../.cache/docker-peer', import.meta.url));
  return existsSync(unpacked) ? unpacked : '';
}

/** What finds the peer's own programs and libraries before the system's. */
function peerEnvironment(): NodeJS.ProcessEnv {
  if (folder === '') return process.env;
  const libraries = globSync(`${folder}/{usr/,}lib/*-linux-gnu`).join(':');
  const path = `${folder}/usr/sbin:${folder}/usr/bin:${process.env.PATH ?? ''}`;
  return { ...process.env, PATH: path, LD_LIBRARY_PATH: libraries };
}

/** Debian's docker.io recommends tini for `--init`, and does not bring it: the system's is named where there is one. */
function initFlags(): string[] {
  const path = findProgram('tini-static', 'tini');
  return path === undefined ? [] : ['--init-path', path];
}

/** Docker runs what the tests are for, too. */
function runtimeFlags(): string[] {
  const name = testRuntime();
  if (name === undefined || name === 'runc') return [];
  const path = findProgram(name);
  assert.ok(path !== undefined, `there is no ${name}`);
  return ['--add-runtime', `${name}=${path}`, '--default-runtime', name];
}

/** The limits that Docker's service has, for the shell that becomes the daemon; nothing where they may not be raised. */
function raiseLimits(): string {
  const capabilities = parseBoundingSet(readFileSync('/proc/self/status', 'utf8'));
  if (!capabilities.has('CAP_SYS_RESOURCE')) return '';
  return 'prlimit --pid $$ --nproc=unlimited --core=unlimited --nofile=1048576;';
}

/** What a command of the client gave. */
export interface DockerResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running dockerd. Dispose of it: that stops it and removes everything but a data root that was given. */
export interface Docker extends AsyncDisposable {
  readonly dataRoot: string;
  /** Where the daemon listens. */
  readonly socket: string;
  /** The daemon's process. */
  readonly pid: number;
  /** The words before a command of the client, and the environment it needs, for those who start it themselves. */
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  /** Runs the client and gives its standard output, trimmed. Throws when it fails. */
  (...args: string[]): Promise<string>;
  /** Runs the client and gives everything. */
  try(args: readonly string[], input?: Buffer): Promise<DockerResult>;
  /** Asks the daemon's API: the status and the answer's JSON (`undefined` when there is none). */
  api(method: string, path: string): Promise<{ readonly status: number; readonly body: unknown }>;
  /** Stops the daemon, cleanly or with SIGKILL, and leaves the data root. */
  stop(how?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** What the daemon says of its version; `undefined` where there is none. */
export function dockerVersion(): string | undefined {
  if (!existsSync(DAEMON) || !existsSync(CLIENT)) return undefined;
  return execFileSync(DAEMON, ['--version'], { env: peerEnvironment(), encoding: 'utf8' }).trim();
}

function whyMissing(): string | undefined {
  const version = dockerVersion();
  if (version === undefined) return 'no docker.io: run scripts/docker-peer.sh';
  if (process.geteuid?.() !== 0) return 'not root';
  return / 20\.10\.24\b/.test(version) ? undefined : `the docker.io here is not 20.10.24: ${version}`;
}

/**
 * Why there is no Docker to compare with here; `undefined` when there is one. Throws instead in a run of all tests, which
 * must not leave anything out (scripts/test.sh).
 */
export function dockerMissing(): string | undefined {
  const reason = whyMissing();
  if (reason !== undefined && process.env.TSENGINE_TEST_ALL === '1') throw new Error(reason);
  return reason;
}

/** Options of `startDocker`. */
export interface DockerOptions {
  /** An existing data root to open; a fresh one otherwise. */
  readonly dataRoot?: string;
  readonly storageDriver?: string;
  /** Where everything but the data root goes; the folder for temporary files otherwise. */
  readonly parent?: string;
}

/** Starts a dockerd and waits until it answers. */
export async function startDocker(options: DockerOptions = {}): Promise<Docker> {
  const base = mkdtempSync(`${options.parent ?? tmpdir()}/ts-dk-`);
  const dataRoot = options.dataRoot ?? `${base}/data`;
  const socket = `${base}/sock`;
  const log = openSync(`${base}/log`, 'w');
  const flags = [
    '--data-root',
    dataRoot,
    '--exec-root',
    `${base}/exec`,
    '-H',
    `unix://${socket}`,
    '-p',
    `${base}/pid`,
  ];
  const storage = [
    '--storage-driver',
    options.storageDriver ?? 'overlay2',
    '--bridge',
    'none',
    '--iptables=false',
    ...initFlags(),
    ...runtimeFlags(),
  ];
  const script = `ip link set lo up; ${raiseLimits()} exec "$@"`;
  const daemon = spawn('unshare', ['--net', 'sh', '-c', script, 'sh', DAEMON, ...flags, ...storage], {
    stdio: ['ignore', log, log],
    env: peerEnvironment(),
  });
  const client = async (args: readonly string[], input?: Buffer): Promise<DockerResult> => {
    const child = run(CLIENT, ['-H', `unix://${socket}`, ...args], {
      maxBuffer: 1 << 28,
      env: peerEnvironment(),
    });
    // A client that does not read its input closes it: no error of ours.
    child.child.stdin?.on('error', () => {});
    child.child.stdin?.end(input);
    return await child.then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code?: number; stdout?: string; stderr?: string }) => ({
        code: error.code ?? 1,
        stdout: error.stdout ?? '',
        stderr: error.stderr ?? String(error),
      }),
    );
  };
  const stop = async (how: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> => {
    await end(daemon, how);
    await endContainerd(`${base}/exec`);
  };
  const docker = Object.assign(
    async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await client(args);
      if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
      return stdout.trim();
    },
    {
      dataRoot,
      socket,
      pid: daemon.pid ?? 0,
      command: [CLIENT, '-H', `unix://${socket}`] as const,
      env: peerEnvironment(),
      try: client,
      api: (method: string, path: string) => ask(socket, method, path),
      stop,
      [Symbol.asyncDispose]: async () => {
        await stop();
        for (const path of [base, ...(options.dataRoot === undefined ? [dataRoot] : [])])
          await removeWithMounts(path);
      },
    },
  );
  for (let waited = 0; ; waited += 100) {
    if (existsSync(socket) && (await client(['version'])).code === 0) return docker;
    if (daemon.exitCode !== null || waited > 30_000) {
      const said = readFileSync(`${base}/log`, 'utf8').slice(-2000);
      await docker[Symbol.asyncDispose]();
      throw new Error(`dockerd did not start: ${said}`);
    }
    await sleep(100);
  }
}

async function ask(
  socketPath: string,
  method: string,
  path: string,
): Promise<{ status: number; body: unknown }> {
  const sent = request({ socketPath, method, path: `/v1.41${path}` });
  sent.end();
  const [answer]: IncomingMessage[] = await once(sent, 'response');
  assert.ok(answer !== undefined);
  let text = '';
  for await (const chunk of answer) text += chunk;
  return { status: answer.statusCode ?? 0, body: text.trim() === '' ? undefined : JSON.parse(text) };
}

async function end(daemon: ChildProcess, how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = once(daemon, 'exit');
  daemon.kill(how);
  await ended;
}

/** A killed dockerd leaves its containerd and the shims of containers; each says in its command line whose it is. */
async function endContainerd(execRoot: string): Promise<void> {
  const { stdout } = await run('pgrep', ['-f', '--', execRoot]).catch(() => ({ stdout: '' }));
  for (const pid of stdout.split('\n').map(Number)) {
    if (pid > 1 && pid !== process.pid) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone by itself.
      }
    }
  }
}

async function removeWithMounts(path: string): Promise<void> {
  const mounts = readFileSync('/proc/self/mountinfo', 'latin1').split('\n');
  const points = mounts
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${path}/`));
  for (const point of points.reverse()) await run('umount', ['-l', point]).catch(() => {});
  rmSync(path, { recursive: true, force: true });
}
