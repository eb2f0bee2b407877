/** What the kernel tells of processes, of ours and of others. Source: proc(5). */
import { readdirSync, readFileSync } from 'node:fs';
import { hasErrno } from '../errors.ts';

/** All processes. */
export function processIds(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
}

/** What `/proc/PID/FILE` holds; `undefined` when there is no such process. */
function processFile(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH', 'EINVAL')) return undefined;
    throw error;
  }
}

/** A process's arguments, the program first; none when it is a zombie or gone. */
export function commandLine(pid: number): readonly string[] {
  return (processFile(pid, 'cmdline') ?? '').split('\0');
}

/** Whether the process lives: exists, and is no zombie. Source: proc(5), field 3 of stat, after the last `)`. */
export function isAlive(pid: number): boolean {
  const stat = processFile(pid, 'stat');
  if (stat === undefined) return false;
  const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  return state !== 'Z' && state !== 'X';
}

/** Whether the process belongs to a cgroup that is named after the container. */
export function isInCgroupOf(pid: number, id: string): boolean {
  return (processFile(pid, 'cgroup') ?? '').includes(id);
}

/** Sends SIGKILL to a process that may have ended this moment; to a group of processes, by its negated number. */
export function killIfAny(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

/** The processes whose parent it is; none where the kernel does not tell (CONFIG_PROC_CHILDREN). */
export function childrenOf(pid: number): readonly number[] {
  const text = processFile(pid, `task/${pid}/children`) ?? '';
  return text.trim() === '' ? [] : text.trim().split(' ').map(Number);
}
