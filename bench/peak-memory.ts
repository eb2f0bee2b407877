/** The most memory that processes had at once, as the kernel counts it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Command } from './measure.ts';

/** How often the kernel is asked, in milliseconds. It keeps the peak itself: only the very end can be missed. */
const interval = 10;

/** What the kernel counts in. */
const kibibyte = 1024;

/**
 * Runs a command that must succeed, its standard input being the file descriptor `input`, and gives the peak of its
 * resident memory in bytes: that of the process and of every one that it starts, added up, wherever each has its peak.
 */
export async function peakMemory({ argv, env }: Command, input: number): Promise<number> {
  const [file, ...args] = argv;
  const child = spawn(file, args, { env, stdio: [input, 'ignore', 'inherit'] });
  const peaks = new Map<number, number>();
  const look = () => {
    for (const pid of family(child.pid ?? 0)) {
      const peak = statusOf(pid, 'VmHWM');
      if (peak !== undefined) peaks.set(pid, Math.max(peak, peaks.get(pid) ?? 0));
    }
  };
  const timer = setInterval(look, interval);
  try {
    const [code]: unknown[] = await once(child, 'exit');
    if (code !== 0) throw new Error(`${argv.join(' ')}: ended with ${String(code)}`);
  } finally {
    clearInterval(timer);
  }
  return [...peaks.values()].reduce((sum, peak) => sum + peak, 0) * kibibyte;
}

/** Forgets a process's peak, and gives a function that says by how many bytes it has grown at most since then. */
export function watchGrowth(pid: number): () => number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const before = statusOf(pid, 'VmRSS') ?? 0;
  return () => ((statusOf(pid, 'VmHWM') ?? 0) - before) * kibibyte;
}

/** KiB of one of the rows of /proc/PID/status; `undefined` when the process is gone. */
function statusOf(pid: number, row: string): number | undefined {
  const found = new RegExp(`^${row}:\\s*(\\d+) kB`, 'm').exec(read(`/proc/${pid}/status`));
  return found === null ? undefined : Number(found[1]);
}

/** A process and all that descend from it. */
function family(pid: number): number[] {
  let threads: string[] = [];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  const children = threads.flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').map(Number),
  );
  return [pid, ...children.filter((child) => child > 0).flatMap(family)];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
