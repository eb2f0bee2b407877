/** The cgroup that all containers of a run are in, so that none of a run that was killed stays. */
import { readdirSync, rmdirSync } from 'node:fs';
import { isRunning } from '../stores/image.ts';

const ROOT = '/sys/fs/cgroup';
const PREFIX = 'tsengine-bench-';

/**
 * An engine's option `exec-opts`, with which its runtime makes cgroups itself. systemd cannot: it is told of processes by number, and those
 * of a block have numbers of their own.
 */
export const CGROUPS = 'native.cgroupdriver=cgroupfs';

/** The flags of `run` that put a container there. */
export function cgroupFlags(owner: number): readonly string[] {
  return ['--cgroup-parent', `/${PREFIX}${owner}`];
}

/** Removes those of this run, and of runs whose process is gone. In a v1 hierarchy each controller has its own. */
export function removeCgroups(owner: number): void {
  for (const root of [ROOT, ...foldersIn(ROOT)])
    for (const path of foldersIn(root)) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      if (!name.startsWith(PREFIX)) continue;
      const of = Number(name.slice(PREFIX.length));
      if (of === owner || !isRunning(of)) removeWithAll(path);
    }
}

function foldersIn(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => `${path}/${entry.name}`);
  } catch {
    // It went meanwhile.
    return [];
  }
}

function removeWithAll(path: string): void {
  for (const child of foldersIn(path)) removeWithAll(child);
  try {
    rmdirSync(path);
  } catch {
    // Something still ends in it: the next block's end removes it.
  }
}
