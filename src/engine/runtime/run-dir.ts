/**
 * A running container's folder under the exec root, which is also its OCI bundle: everything about it that a reboot may
 * forget. Layout of `<exec-root>/containers/<id>/`:
 *
 *     config.json     the OCI runtime configuration
 *     conmon.pid      conmon's process; written by conmon
 *     pid             the container's first process, in our PID namespace; written by the runtime
 *     attach          conmon's socket for stdio;  ctl, winsz: its fifos
 *     exit, oom       written by conmon at the end: the exit code; that the kernel killed for want of memory
 *     log             leads to the container's log, where that has a path with a colon
 *     runtime.log     what the runtime said while it made the container; its own standard error is the container's
 *     runtime         which OCI runtime it was started with
 *     mounted         the container's layer is mounted, counted once, for this run
 *     watcher         the process that is about to end the container and will record it; see exit-command.ts
 *     frozen          somebody froze the processes and is to thaw them
 *
 * The folder is made before anything of the run exists and removed after everything of it is gone. Where it is there and
 * no process holds the container's lock, something runs or there is something to clean up.
 */
import { existsSync, statSync } from 'node:fs';
import { readTextIfAny } from '../../linux/files.ts';
import { commandLine } from '../../linux/processes.ts';

/** The paths of one container's run folder. */
export interface RunDir {
  readonly id: string;
  readonly path: string;
  readonly config: string;
  readonly monitorPid: string;
  readonly pid: string;
  readonly control: string;
  readonly exit: string;
  readonly oom: string;
  readonly mounted: string;
  readonly runtime: string;
  readonly runtimeLog: string;
  readonly watcher: string;
  readonly frozen: string;
  /** Where conmon leaves exit codes for whoever waits, also for containers that are gone by then: one file an id. */
  readonly exits: string;
}

/** The run folder of a container; whether it exists is another matter. */
export function runDirOf(execRoot: string, id: string): RunDir {
  const path = `${execRoot}/containers/${id}`;
  return {
    id,
    path,
    config: `${path}/config.json`,
    monitorPid: `${path}/conmon.pid`,
    pid: `${path}/pid`,
    control: `${path}/ctl`,
    exit: `${path}/exit`,
    oom: `${path}/oom`,
    mounted: `${path}/mounted`,
    runtime: `${path}/runtime`,
    runtimeLog: `${path}/runtime.log`,
    watcher: `${path}/watcher`,
    frozen: `${path}/frozen`,
    exits: `${execRoot}/exits`,
  };
}

/** The number in a pid file; `undefined` when there is none. */
export function readPid(file: string): number | undefined {
  const pid = Number.parseInt(readTextIfAny(file) ?? '', 10);
  return pid > 0 ? pid : undefined;
}

/**
 * Whether conmon watches this container now. Its command line names the container, so that a process that has the same
 * number by chance, after a reboot or a long life, is not taken for it. A zombie has no command line, and counts as dead.
 */
export function isMonitored(run: RunDir): boolean {
  const pid = readPid(run.monitorPid);
  return pid !== undefined && commandLine(pid).includes(run.id);
}

/** Whether what is on record of a container, that it runs or not, needs no second look. Cheap, for lists. */
export function isSettled(run: RunDir, running: boolean): boolean {
  if (running) return !existsSync(run.exit) && isMonitored(run);
  return !existsSync(run.path);
}

/** How a container ended. */
export interface Ending {
  /** 0 to 255; 128 and the signal's number when a signal ended it. */
  readonly code: number;
  /** Nanoseconds since 1970. */
  readonly finishedAt: bigint;
  readonly oomKilled: boolean;
}

/** What conmon recorded about the end; `undefined` as long as there is no exit file. */
export function readEnding(run: RunDir): Ending | undefined {
  const text = readTextIfAny(run.exit);
  if (text === undefined) return undefined;
  const code = Number.parseInt(text, 10);
  return {
    // conmon writes -1 for a status that it never got.
    code: Number.isNaN(code) || code < 0 ? 255 : code,
    finishedAt: statSync(run.exit, { bigint: true }).mtimeNs,
    oomKilled: readTextIfAny(run.oom) !== undefined,
  };
}
