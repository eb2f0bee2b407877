/**
 * Starting conmon, which starts the runtime and then watches the container: keeps its stdio, logs it, records its end
 * and calls us back. Source of the arguments and of the pipe protocol: conmon(8), and how podman calls conmon 2.1.
 *
 * conmon forks once it has read a byte from the start pipe, so that its cgroup is settled by then, and its first process
 * ends; the second is nobody's child. It gets three descriptors from us, all for the time of starting, a session of its
 * own (what the terminal sends to us is not for it), and of our environment the PATH alone. conmon never calls
 * setlocale(3), for want of which glib refuses arguments that are not ASCII; CHARSET tells glib that they are UTF-8.
 */
import { read, symlinkSync } from 'node:fs';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { closeFd } from '../../linux/at.ts';
import { readTextIfAny, writeAll } from '../../linux/files.ts';
import { makePipe, type Pipe, reap, spawnDetached } from '../../linux/spawn.ts';
import { moveToOwnCgroup } from './conmon-cgroup.ts';
import { watchCreate } from './dead-runtime.ts';
import type { OciRuntime } from './oci-runtime.ts';
import { findProgram, programPath } from './programs.ts';
import type { RunDir } from './run-dir.ts';
import { createFailure, runtimeMessage } from './runtime-error.ts';

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
  /** A descriptor that conmon keeps open as long as the container runs. */
  readonly heldFd: number | undefined;
}

/** The path of conmon. Fails with `Unavailable` when it is not installed. */
export function findConmon(): string {
  const path = findProgram('conmon');
  if (path !== undefined) return path;
  throw new TsengineError(
    'Unavailable',
    'conmon not found, which watches containers: apt-get install conmon',
  );
}

function repeated(flag: string, values: readonly string[]): string[] {
  return values.flatMap((value) => [flag, value]);
}

/** A link to the log in conmon's working directory, for a path that has a colon: there conmon takes it to end. */
const LOG_LINK = 'log';
const hasColon = (path: string): boolean => path.includes(':');

/** conmon's command line. */
export function monitorArguments(request: MonitorRequest): string[] {
  const { run, runtime } = request;
  const [exitProgram = '/bin/false', ...exitArguments] = request.exitCommand;
  return [
    ...['--cid', run.id, '--cuuid', run.id, '--name', request.name],
    ...['--runtime', runtime.path],
    // Without a log of its own its warnings would be the first that a container says: they share their standard error.
    ...repeated('--runtime-arg', [...runtime.args, '--log', run.runtimeLog, '--root', runtime.root]),
    ...(request.systemdCgroup ? ['--systemd-cgroup'] : []),
    ...['--bundle', run.path, '--full-attach', '--persist-dir', run.path, '--exit-dir', run.exits],
    ...['--container-pidfile', run.pid, '--conmon-pidfile', run.monitorPid],
    ...[
      '--log-path',
      request.log === undefined ? 'none' : `k8s-file:${hasColon(request.log) ? LOG_LINK : request.log}`,
    ],
    // A log survives a crash as far as the kernel wrote it; an fsync at the end of every container is not worth it.
    '--no-sync-log',
    ...(request.terminal ? ['--terminal'] : []),
    ...(request.stdin === 'none' ? [] : ['--stdin']),
    ...(request.stdin === 'keep' ? ['--leave-stdin-open'] : []),
    ...['--exit-command', exitProgram],
    ...repeated('--exit-command-arg', exitArguments),
  ];
}

function readSome(fd: number): Promise<Buffer> {
  const buffer = Buffer.alloc(16 * 1024);
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, buffer.length, null, (error, length) => {
      if (error === null) resolve(buffer.subarray(0, length));
      else reject(error);
    });
  });
}

/** What comes out of a pipe until `enough` says so, or its other end is closed. */
async function readUntil(fd: number, enough: (text: string) => boolean): Promise<string> {
  let text = '';
  for (;;) {
    const some = await readSome(fd);
    text += some.toString('utf8');
    if (some.length === 0 || enough(text)) return text;
  }
}

interface SyncMessage {
  readonly pid: number;
  readonly message: string;
}

/** `{"pid": 123}`, or `{"pid": -1, "message": "what the runtime wrote on stderr"}`. */
function parseSyncMessage(text: string): SyncMessage | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('pid' in value)) return undefined;
    const { pid } = value;
    const message = 'message' in value && typeof value.message === 'string' ? value.message : '';
    return typeof pid === 'number' ? { pid, message } : undefined;
  } catch {
    return undefined;
  }
}

function runtimeDied({ path }: OciRuntime): TsengineError {
  return new TsengineError('System', `${path} died while it created the container: start it again`, {
    exitCode: 125,
  });
}

/** The pipes between us and conmon while it starts. Dispose of them: what is closed already stays so. */
class StartPipes implements Disposable {
  readonly sync = makePipe();
  readonly start = makePipe();
  readonly errors = makePipe();
  readonly #open = new Set<number>();

  constructor() {
    for (const pipe of [this.sync, this.start, this.errors]) this.#keep(pipe);
  }

  #keep({ read: from, write: to }: Pipe): void {
    this.#open.add(from).add(to);
  }

  close(fd: number): void {
    if (this.#open.delete(fd)) closeFd(fd);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open) closeFd(fd);
  }
}

/** The number that conmon has `heldFd` under; nothing is said to it of what that is. */
const HELD_FD = 5;

function spawnConmon(conmon: string, request: MonitorRequest, pipes: StartPipes): number {
  const { log, run } = request;
  if (log !== undefined && hasColon(log)) symlinkSync(log, `${run.path}/${LOG_LINK}`);
  const pid = spawnDetached({
    program: conmon,
    args: monitorArguments(request),
    env: { PATH: programPath().join(':'), CHARSET: 'UTF-8', _OCI_SYNCPIPE: '3', _OCI_STARTPIPE: '4' },
    // conmon writes a file `oom` into its working directory.
    cwd: run.path,
    descriptors: new Map([
      [2, pipes.errors.write],
      [3, pipes.sync.write],
      [4, pipes.start.read],
      ...(request.heldFd === undefined ? [] : [[HELD_FD, request.heldFd] as const]),
    ]),
  });
  for (const fd of [pipes.errors.write, pipes.sync.write, pipes.start.read]) pipes.close(fd);
  return pid;
}

/**
 * A conmon that waits for the word to make its container. Starting it before the container's files and mounts are there
 * lets it load while we prepare them (12 ms). Dispose of it: one that was never told to go on is killed, and has done
 * nothing but open the log.
 */
export class Monitor implements AsyncDisposable {
  readonly #request: MonitorRequest;
  readonly #pipes = new StartPipes();
  #first: number | undefined;

  /** Starts conmon, in its own cgroup. The run folder is there, with nothing in it yet that conmon needs. */
  constructor(conmon: string, request: MonitorRequest) {
    this.#request = request;
    try {
      this.#first = spawnConmon(conmon, request, this.#pipes);
      moveToOwnCgroup(this.#first, request.cgroupParent);
    } catch (error) {
      this.#killFirst();
      this.#pipes[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Has the container made, with the runtime's `create`. Gives the process that waits there to be started. Fails in
   * Docker's words with what the runtime said (exit codes 125, 126, 127); conmon has ended then.
   */
  async create(): Promise<number> {
    const pipes = this.#pipes;
    this.#tellToGoOn();
    using watch = watchCreate(this.#request.run);
    const answer = parseSyncMessage(await readUntil(pipes.sync.read, (text) => text.endsWith('\n')));
    // It ended when it had forked, long before the answer came.
    await this.#reapFirst();
    if (answer !== undefined && answer.pid > 0) return answer.pid;
    if (watch.foundDead) throw runtimeDied(this.#request.runtime);
    // runc's last word is in both, crun's in its log alone.
    const logged = readTextIfAny(this.#request.run.runtimeLog) ?? '';
    const told = `${logged}\n${answer?.message ?? ''}`;
    if (runtimeMessage(told) !== '') throw createFailure(told);
    const said = await readUntil(pipes.errors.read, () => false);
    const reason = errorMessage(said.trim() || 'it ended without a word');
    throw new TsengineError(
      'System',
      `conmon failed to create the container with ${this.#request.runtime.path}: ${reason}`,
      { exitCode: 125 },
    );
  }

  #tellToGoOn(): void {
    const { start } = this.#pipes;
    try {
      writeAll(start.write, Buffer.from('\0'));
    } catch (error) {
      // It is dead. Its silence will be noticed.
      if (!hasErrno(error, 'EPIPE')) throw error;
    }
    this.#pipes.close(start.write);
  }

  async #reapFirst(): Promise<void> {
    const pid = this.#first;
    this.#first = undefined;
    if (pid !== undefined) await reap(pid);
  }

  #killFirst(): void {
    // Not reaped yet, so the number is still its own. The end of its pipe would let it go on instead.
    if (this.#first !== undefined) process.kill(this.#first, 'SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#killFirst();
    this.#pipes[Symbol.dispose]();
    await this.#reapFirst();
  }
}
