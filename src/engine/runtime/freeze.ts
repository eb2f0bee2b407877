/** Holding a container's processes still, and letting them go on whatever happens in between. */
import { pathExists, removeFile, writeNewFile } from '../../linux/files.ts';
import { isAlive } from '../../linux/processes.ts';
import { cgroupsOf, thawCgroups } from './container-cgroups.ts';
import { callRuntime, type OciRuntime, requireRuntime } from './oci-runtime.ts';
import { type RunDir, readPid } from './run-dir.ts';

/**
 * Does `work` while the container's processes are frozen. A note says so meanwhile, and whoever finds it after a crash thaws
 * them. Fails with `System` when they cannot be frozen, or not be thawed; the note stays then. A container that has ended
 * in the meantime needs no freezing.
 */
export async function whileFrozen<T>(run: RunDir, runtime: OciRuntime, work: () => Promise<T>): Promise<T> {
  writeNewFile(run.frozen, '', { durable: false });
  try {
    await freeze(run, runtime);
    return await work();
  } finally {
    await thawRun(run, runtime);
  }
}

async function freeze(run: RunDir, runtime: OciRuntime): Promise<void> {
  try {
    await requireRuntime(runtime, 'pause', run.id);
  } catch (error) {
    const pid = readPid(run.pid);
    if (pid !== undefined && isAlive(pid)) throw error;
  }
}

/** Thaws what a note says is frozen. The runtime may fail, or be killed itself: then it is done in its place. */
export async function thawRun(run: RunDir, runtime: OciRuntime): Promise<void> {
  if (!pathExists(run.frozen)) return;
  const resumed = await callRuntime(runtime, 'resume', run.id).catch(() => undefined);
  if (resumed?.code !== 0) thawCgroups(cgroupsOf(run, runtime));
  removeFile(run.frozen);
}
