/**
 * What a start leaves when the process behind it dies in its middle. conmon goes on by itself, and with it the runtime: a
 * container comes to be that nobody will ever let go. Whoever cleans up ends them first, or they would fill the folders
 * that he empties.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod/mini';
import { hasErrno } from '../../errors.ts';
import { readTextIfAny, removeDirectory } from '../../linux/files.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { commandLine, processIds } from '../../linux/processes.ts';
import { parseIfJson } from '../json.ts';
import type { RunDir } from './run-dir.ts';

/** Between two looks, in milliseconds, and how many there are: what was killed is gone in a few of them. */
const LOOK = 2;
const LOOKS = 500;

/** The part of an OCI configuration that says where the container's cgroups are. */
const bundleSchema = z.looseObject({ linux: z.looseObject({ cgroupsPath: z.string() }) });

/** conmon and the runtime are told the bundle, which is the run folder, by these words; nothing else is. */
function makesContainer(pid: number, { path }: RunDir): boolean {
  const words = commandLine(pid);
  return words[words.indexOf('--bundle') + 1] === path;
}

/** Kills conmon and the runtime, as far as they still make the run's container, and waits until they are gone. */
export async function endMakers(run: RunDir): Promise<void> {
  for (let look = 0; look < LOOKS; look += 1) {
    const makers = processIds().filter((pid) => makesContainer(pid, run));
    if (makers.length === 0) return;
    for (const pid of makers) killIfAny(pid);
    await sleep(LOOK);
  }
}

/** Sends SIGKILL to a process that may have ended this moment. */
export function killIfAny(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

/** The cgroup that the bundle names; `undefined` where there is no bundle yet, or systemd makes it, which removes it when it is empty. */
function cgroupOf(run: RunDir): string | undefined {
  const bundle = z.safeParse(bundleSchema, parseIfJson(readTextIfAny(run.config) ?? '')).data;
  const path = bundle?.linux.cgroupsPath ?? '';
  return path.startsWith('/') ? path : undefined;
}

/** Removes the cgroups of a container of which its runtime knows nothing, because it died before it could write that down. */
export async function removeStrayCgroups(run: RunDir): Promise<void> {
  const path = cgroupOf(run);
  if (path === undefined) return;
  const hierarchies = readMountInfo().filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
  for (const { mountPoint } of hierarchies) await removeCgroup(`${mountPoint}${path}`);
}

/** A cgroup is busy for a moment after its last process was killed. */
async function removeCgroup(path: string): Promise<void> {
  for (let look = 0; look < LOOKS; look += 1) {
    try {
      removeDirectory(path);
      return;
    } catch (error) {
      if (!hasErrno(error, 'EBUSY')) {
        if (hasErrno(error, 'ENOENT', 'EROFS', 'EACCES', 'EPERM')) return;
        throw error;
      }
    }
    await sleep(LOOK);
  }
}
