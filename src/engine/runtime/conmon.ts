/**
 * Starting conmon, which starts the runtime and then watches the container: keeps its stdio, logs it, records its end
 * and calls us back. Source of the arguments and of the pipe protocol: conmon(8) and conmon 2.1's own use by podman.
 *
 * conmon forks once it has read a byte from the start pipe, so that its cgroup is settled by then, and its first process
 * ends; the second has a session and a parent of its own and is nobody's child. It gets three descriptors from us, all
 * for the time of starting, and of our environment the PATH alone.
 */
import { spawn } from 'node:child_process';
import { Duplex, type Readable } from 'node:stream';
import { errorMessage, TsengineError } from '../../errors.ts';
import { moveToOwnCgroup } from './conmon-cgroup.ts';
import type { OciRuntime } from './oci-runtime.ts';
import { findProgram, programPath } from './programs.ts';
import type { RunDir } from './run-dir.ts';
import { createFailure } from './runtime-error.ts';

/** What conmon is to start and watch. */
export interface MonitorRequest {
  readonly run: RunDir;
  readonly runtime: OciRuntime;
  /** The container's name, for logs. */
  readonly name: string;
  readonly terminal: boolean;
  /** Whether the container gets an input at all, and whether it stays open when whoever is attached goes. */
  readonly stdin: 'none' | 'once' | 'keep';
  /** The file for output, in the k8s-file format; `undefined` keeps none. */
  readonly log: string | undefined;
  readonly systemdCgroup: boolean;
  /** The cgroup below which conmon goes. */
  readonly cgroupParent: string;
  /** Program and arguments that conmon runs when the container has ended. The program is a path. */
  readonly exitCommand: readonly string[];
}

/** The path of conmon. Fails with `Unavailable` when it is not installed. */
export function findConmon(): string {
  const path = findProgram('conmon');
  if (path !== undefined) return path;
  throw new TsengineError('Unavailable', 'conmon not found, which watches containers: apt-get install conmon');
}

function repeated(flag: string, values: readonly string[]): string[] {
  return values.flatMap((value) => [flag, value]);
}

/** conmon's command line. */
export function monitorArguments(request: MonitorRequest): string[] {
  const { run, runtime } = request;
  const [exitProgram = '/bin/false', ...exitArguments] = request.exitCommand;
  return [
    ...['--cid', run.id, '--cuuid', run.id, '--name', request.name],
    ...['--runtime', runtime.path],
    ...repeated('--runtime-arg', [...runtime.args, '--root', runtime.root]),
    ...(request.systemdCgroup ? ['--systemd-cgroup'] : []),
    ...['--bundle', run.path, '--full-attach', '--persist-dir', run.path, '--exit-dir', run.exits],
    ...['--container-pidfile', run.pid, '--conmon-pidfile', run.monitorPid],
    ...['--log-path', request.log === undefined ? 'none' : `k8s-file:${request.log}`],
    // A log survives a crash as far as the kernel wrote it; an fsync at the end of every container is not worth it.
    '--no-sync-log',
    ...(request.terminal ? ['--terminal'] : []),
    ...(request.stdin === 'none' ? [] : ['--stdin']),
    ...(request.stdin === 'keep' ? ['--leave-stdin-open'] : []),
    ...['--exit-command', exitProgram],
    ...repeated('--exit-command-arg', exitArguments),
  ];
}

/** All that a stream gives, as text. Errors end it: a pipe whose other end is gone has said all it had. */
async function readAll(stream: Readable): Promise<string> {
  let text = '';
  try {
    for await (const chunk of stream) text += String(chunk);
  } catch {
    return text;
  }
  return text;
}

/** The first line that comes out of the sync pipe; empty when it closes before that. */
async function firstLine(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    const end = text.indexOf('\n');
    if (end >= 0) return text.slice(0, end);
  }
  return text;
}

interface SyncMessage {
  readonly pid: number;
  readonly message: string;
}

function parseSyncMessage(line: string): SyncMessage | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('pid' in value)) return undefined;
    const { pid } = value;
    const message = 'message' in value && typeof value.message === 'string' ? value.message : '';
    return typeof pid === 'number' ? { pid, message } : undefined;
  } catch {
    return undefined;
  }
}

function isDuplex(stream: unknown): stream is Duplex {
  return stream instanceof Duplex;
}

/**
 * Starts conmon, which makes the container with the runtime's `create`. Gives the process that waits there to be
 * started. Fails in Docker's words with what the runtime said (exit codes 125, 126, 127); conmon has ended then.
 */
export async function startMonitor(conmon: string, request: MonitorRequest): Promise<number> {
  const child = spawn(conmon, monitorArguments(request), {
    // conmon writes a file `oom` into its working directory.
    cwd: request.run.path,
    env: { PATH: programPath().join(':'), _OCI_SYNCPIPE: '3', _OCI_STARTPIPE: '4' },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    // A session of its own: what the terminal sends to us is not for it.
    detached: true,
  });
  const spawned = new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const [, , stderr, sync, start] = child.stdio;
  if (!isDuplex(stderr) || !isDuplex(sync) || !isDuplex(start)) {
    throw new TypeError('conmon was spawned without its pipes');
  }
  const complaints = readAll(stderr);
  const said = firstLine(sync);
  try {
    await spawned;
    if (child.pid !== undefined) moveToOwnCgroup(child.pid, request.cgroupParent);
  } catch (error) {
    throw new TsengineError('System', `cannot run ${conmon}: ${errorMessage(error)}`, { cause: error });
  } finally {
    start.on('error', () => undefined);
    start.end('\0');
  }
  const answer = parseSyncMessage(await said);
  child.unref();
  if (answer !== undefined && answer.pid > 0) {
    stderr.destroy();
    return answer.pid;
  }
  if (answer !== undefined && answer.message !== '') throw createFailure(answer.message);
  const reason = (await complaints).trim() || 'it ended without a word';
  throw new TsengineError('System', `conmon failed to create the container: ${errorMessage(reason)}`, { exitCode: 125 });
}
