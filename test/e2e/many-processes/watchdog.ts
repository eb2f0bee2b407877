/** Notices when nothing moves any more, and tells what every process that has to do with a data root is doing. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** What is in a folder of `/proc`; nothing of one that is gone. */
function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** The processes whose command line names one of the words. */
export function processesNaming(...words: readonly string[]): Map<number, string> {
  const found = new Map<number, string>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const line = read(`/proc/${name}/cmdline`).replaceAll('\0', ' ');
    if (words.some((word) => line.includes(word))) found.set(Number(name), line);
  }
  return found;
}

/** Inodes of locks, and the paths under which the processes have them open. */
function openFiles(pid: number): Map<string, string> {
  const found = new Map<string, string>();
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
      const stat = statSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false });
      if (stat !== undefined) found.set(String(stat.ino), path);
    }
  } catch {
    // It ended meanwhile.
  }
  return found;
}

/** What each process does: its command, where each thread sleeps in the kernel, and the locks it holds or waits for. */
export function whatTheyDo(...words: readonly string[]): string {
  const processes = processesNaming(...words);
  const paths = new Map([...processes.keys()].flatMap((pid) => [...openFiles(pid)]));
  const lines: string[] = [];
  for (const [pid, line] of processes) {
    lines.push(`${pid} ${line}`);
    for (const thread of list(`/proc/${pid}/task`)) {
      const task = `/proc/${pid}/task/${thread}`;
      const stack = read(`${task}/stack`).trim().split('\n').slice(0, 3).join(' ');
      lines.push(`    ${read(`${task}/comm`).trim()}: ${read(`${task}/wchan`)} ${stack}`);
    }
  }
  for (const lock of read('/proc/locks').split('\n')) {
    const path = paths.get(
      lock
        .trim()
        .split(/[\s:]+/)
        .find((word) => paths.has(word)) ?? '',
    );
    if (path !== undefined && words.some((word) => path.includes(word))) lines.push(`${lock.trim()} ${path}`);
  }
  return lines.join('\n');
}

/** Calls `stuck` when `moved` was not called for so many seconds. */
export function watchdog(seconds: number, stuck: () => void): Disposable & { moved(): void } {
  let last = Date.now();
  const timer = setInterval(() => {
    if (Date.now() - last < seconds * 1000) return;
    clearInterval(timer);
    stuck();
  }, 1000);
  return {
    moved: () => {
      last = Date.now();
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
