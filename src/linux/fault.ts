/**
 * The one place where faults are injected. Every wrapper in `src/linux/` announces itself with `enter(call, …)`
 * before it asks the kernel; an armed fault then fails that call with an errno, or kills the process on the spot.
 *
 * Tests arm faults in the process with `armFaults`, or in a child through the environment:
 * `TSENGINE_FAULT=rename:3:ENOSPC` fails the third rename, `*:17:kill` dies by SIGKILL before the 17th call of any
 * kind, `write:1+:EIO` fails every write from the first on; several are separated by commas.
 * Threads count separately, and each of them has its faults; `main:*:17:kill` and `worker:write:3:EIO` are for the main
 * thread alone, and for workers alone.
 * `TSENGINE_FAULT_LOG=FILE` appends the name of each call, one a line, which tells a test how many there are; a worker's
 * with `worker:` before it. Nothing of this costs more than one comparison when no fault is armed.
 */
import { appendFileSync } from 'node:fs';
import { SyscallError, type SyscallSubject } from './errno.ts';

/** The thread that the process began with, or any other. */
export type Thread = 'main' | 'worker';

/** One fault: the `nth` call (counted from 1) named `call` (`*` for any) ends in `action`. */
export interface Fault {
  /** The thread that it is for; each when not given. */
  readonly thread?: Thread;
  readonly call: string;
  readonly nth: number;
  /** Whether every later call fails as well. */
  readonly andAfter?: boolean;
  /** An errno name such as `ENOSPC`, or `kill` for SIGKILL to the whole process. */
  readonly action: string;
}

let faults: readonly Fault[] | undefined;
let log: string | undefined;
const counts = new Map<string, number>();
let thread: Thread | undefined;

/** Asked for only when something is armed: the module takes its time. */
function ownThread(): Thread {
  thread ??= process.getBuiltinModule('node:worker_threads').isMainThread ? 'main' : 'worker';
  return thread;
}

/** Parses the form of `TSENGINE_FAULT`. Throws `TypeError` on anything else, because a test that arms nothing proves nothing. */
export function parseFaults(text: string): Fault[] {
  return text.split(',').map((part) => {
    const match = /^(?:(main|worker):)?([a-z0-9_*]+):([1-9][0-9]*)(\+?):(E[A-Z0-9]+|kill)$/.exec(part);
    const [, on, call, nth, after, action] = match ?? [];
    if (call === undefined || nth === undefined || action === undefined) {
      throw new TypeError(
        `TSENGINE_FAULT: cannot read ${JSON.stringify(part)}; want [main:|worker:]CALL:N[+]:ERRNO or [main:|worker:]CALL:N:kill`,
      );
    }
    const only: Pick<Fault, 'thread'> = on === 'main' || on === 'worker' ? { thread: on } : {};
    return { ...only, call, nth: Number(nth), andAfter: after === '+', action };
  });
}

/** Arms faults and starts counting anew; an empty list disarms. */
export function armFaults(list: readonly Fault[]): void {
  faults = list.length === 0 && log === undefined ? undefined : list;
  counts.clear();
}

/** How often each call was made since faults were armed. Counting happens only while something is armed. */
export function callCounts(): ReadonlyMap<string, number> {
  return counts;
}

function count(call: string): number {
  const next = (counts.get(call) ?? 0) + 1;
  counts.set(call, next);
  return next;
}

function act(call: string, subject: SyscallSubject | undefined): void {
  if (log !== undefined) appendFileSync(log, `${ownThread() === 'main' ? '' : 'worker:'}${call}\n`);
  const ofCall = count(call);
  const ofAny = count('*');
  for (const fault of faults ?? []) {
    if (fault.thread !== undefined && fault.thread !== ownThread()) continue;
    const seen = fault.call === '*' ? ofAny : fault.call === call ? ofCall : 0;
    if (seen !== fault.nth && !(fault.andAfter === true && seen > fault.nth)) continue;
    if (fault.action === 'kill') {
      process.kill(process.pid, 'SIGKILL');
      // SIGKILL to oneself is delivered before the system call returns; this is never reached.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    }
    throw new SyscallError(call, fault.action, subject);
  }
}

/** Announces a system call. Throws the injected error when a fault is due. */
export function enter(call: string, subject?: SyscallSubject): void {
  if (faults !== undefined) act(call, subject);
}

log = process.env.TSENGINE_FAULT_LOG;
const fromEnvironment = process.env.TSENGINE_FAULT;
if (fromEnvironment !== undefined && fromEnvironment !== '') armFaults(parseFaults(fromEnvironment));
else if (log !== undefined) armFaults([]);
