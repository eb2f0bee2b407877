/**
 * A container's cgroups, for the times when its runtime cannot be asked or does not do what it is asked: they say which
 * processes are the container's, whoever started them, and nothing of it lives outside of them.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod/mini';
import { hasErrno, TsengineError } from '../../errors.ts';
import { closeFile, openFile, readTextIfAny, removeDirectory, writeAll } from '../../linux/files.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { killIfAny } from '../../linux/processes.ts';
import { parseIfJson } from '../json.ts';
import type { OciRuntime } from './oci-runtime.ts';
import type { RunDir } from './run-dir.ts';
import { cgroupPath } from './spec/slice.ts';

/** The part of an OCI configuration that says where the container's cgroups are. */
const bundleSchema = z.looseObject({ linux: z.looseObject({ cgroupsPath: z.string() }) });
/** The part of runc's `state.json` that does. */
const stateSchema = z.looseObject({ cgroup_paths: z.record(z.string(), z.string()) });

/** How long killed processes may take to be gone, and between two looks. Milliseconds. */
const PATIENCE = 5000;
const LOOK = 2;

/** What the bundle says. */
function fromBundle(run: RunDir): string[] {
  const bundle = z.safeParse(bundleSchema, parseIfJson(readTextIfAny(run.config) ?? '')).data;
  const path = cgroupPath(bundle?.linux.cgroupsPath ?? '');
  if (path === undefined) return [];
  const hierarchies = readMountInfo().filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
  return hierarchies.map(({ mountPoint }) => `${mountPoint}${path}`);
}

function fromState({ root }: Pick<OciRuntime, 'root'>, id: string): string[] {
  const text = readTextIfAny(`${root}/${id}/state.json`) ?? '';
  return Object.values(z.safeParse(stateSchema, parseIfJson(text)).data?.cgroup_paths ?? {});
}

/** The container's cgroups, there or not, as far as its bundle and its runtime's state say. All carry its id in their names. */
export function cgroupsOf(run: RunDir, runtime: Pick<OciRuntime, 'root'> | undefined): string[] {
  const paths = [...fromBundle(run), ...(runtime === undefined ? [] : fromState(runtime, run.id))];
  const own = paths.filter(
    (path) => path.startsWith('/sys/fs/cgroup/') && path.slice(path.lastIndexOf('/')).includes(run.id),
  );
  return [...new Set(own)];
}

function write(file: string, text: string): void {
  try {
    const fd = openFile(file, 'r+');
    try {
      writeAll(fd, Buffer.from(text), null, file);
    } finally {
      closeFile(fd);
    }
  } catch (error) {
    // The cgroup is gone, or is not of this kind.
    if (!hasErrno(error, 'ENOENT', 'ENODEV')) throw error;
  }
}

/** The cgroups right in one: crun has the container in one below systemd's scope, and a container may make its own. */
function cgroupsIn(path: string): string[] {
  try {
    const inside = readdirSync(path, { withFileTypes: true });
    return inside.filter((entry) => entry.isDirectory()).map(({ name }) => `${path}/${name}`);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

/** Lets frozen processes go on. Source: cgroups(7), the freezer of v1 and `cgroup.freeze` of v2. */
export function thawCgroups(paths: readonly string[]): void {
  for (const path of paths) {
    write(`${path}/freezer.state`, 'THAWED');
    write(`${path}/cgroup.freeze`, '0');
    thawCgroups(cgroupsIn(path));
  }
}

/** Whether it is removed, with those in it; what is still in there is killed. */
function removeCgroup(path: string): boolean {
  if (!cgroupsIn(path).map(removeCgroup).every(Boolean)) return false;
  try {
    removeDirectory(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EROFS', 'EACCES', 'EPERM')) return true;
    if (!hasErrno(error, 'EBUSY')) throw error;
  }
  for (const pid of (readTextIfAny(`${path}/cgroup.procs`) ?? '').split('\n').map(Number)) {
    if (pid > 0) killIfAny(pid);
  }
  return false;
}

/**
 * Kills all that is in the cgroups and removes them. Fails with `System` when something does not end within five seconds;
 * then they are left, and so must be whatever says where they are.
 */
export async function endCgroups(paths: readonly string[]): Promise<void> {
  let left = [...paths];
  for (const end = Date.now() + PATIENCE; ; await sleep(LOOK)) {
    left = left.filter((path) => !removeCgroup(path));
    if (left.length === 0) return;
    if (Date.now() > end) break;
    thawCgroups(left);
  }
  throw new TsengineError('System', `processes in cgroup ${left[0]} do not end: see its cgroup.procs`);
}
