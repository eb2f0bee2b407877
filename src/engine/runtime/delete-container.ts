import * as z from 'zod/mini';
import { hasErrno } from '../../errors.ts';
import { pathExists, readTextIfAny, removeDirectory } from '../../linux/files.ts';
import { isAlive } from '../../linux/processes.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { parseIfJson } from '../json.ts';
import { cgroupsOf, endCgroups } from './container-cgroups.ts';
import { callRuntime, type OciRuntime } from './oci-runtime.ts';
import type { RunDir } from './run-dir.ts';

/** What of runc's `state.json` says what a container still holds. Source: libcontainer's `State`, runc 1.0 to 1.2. */
const runcStateSchema = z.looseObject({
  init_process_pid: z.int(),
  cgroup_paths: z.record(z.string(), z.string()),
  intel_rdt_path: z.optional(z.string()),
  config: z.looseObject({
    cgroups: z.looseObject({ systemd: z.optional(z.boolean()), Systemd: z.optional(z.boolean()) }),
    Hooks: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
  }),
});

/** The cgroups of a container that `runc delete` would do no more for than remove them; `undefined` for any other. */
function plainCgroups(stateFile: string): string[] | undefined {
  const text = readTextIfAny(stateFile);
  if (text === undefined) return undefined;
  const state = z.safeParse(runcStateSchema, parseIfJson(text)).data;
  if (state === undefined || isAlive(state.init_process_pid)) return undefined;
  const { cgroups, Hooks } = state.config;
  const systemd = cgroups.systemd === true || cgroups.Systemd === true;
  const poststop = Hooks?.poststop;
  const hooked = Array.isArray(poststop) && poststop.length > 0;
  if (systemd || hooked || (state.intel_rdt_path ?? '') !== '') return undefined;
  const paths = [...new Set(Object.values(state.cgroup_paths))];
  return paths.every((path) => path.startsWith('/sys/fs/cgroup/')) ? paths : undefined;
}

/** Removes empty cgroups; `false` when one of them still has processes or children. */
function removeCgroups(paths: readonly string[]): boolean {
  for (const path of paths) {
    try {
      removeDirectory(path);
    } catch (error) {
      if (hasErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
      if (!hasErrno(error, 'ENOENT', 'EROFS')) throw error;
    }
  }
  return true;
}

/**
 * Removes what the runtime keeps of a container, and kills what is left of it. No error when there is nothing. Fails with
 * `System` when something of it does not end; what says where it is stays then, for another attempt.
 *
 * After an ordinary end all that `runc delete` does is to remove the container's cgroups and its state folder. Doing
 * that here saves a process (7 to 10 ms); in every other case, and for other runtimes, the runtime is asked. It may fail or
 * be killed itself, or have died in `create` before it wrote a state: what counts is what is in the cgroups.
 */
export async function deleteContainer(runtime: OciRuntime, run: RunDir): Promise<void> {
  const folder = `${runtime.root}/${run.id}`;
  const isKnown = pathExists(folder);
  const plain = isKnown ? plainCgroups(`${folder}/state.json`) : undefined;
  if (plain === undefined || !removeCgroups(plain)) {
    const cgroups = cgroupsOf(run, runtime);
    // Its exit code tells less than the cgroups do.
    if (isKnown) await callRuntime(runtime, 'delete', '--force', run.id).catch(() => undefined);
    await endCgroups(cgroups);
  }
  if (pathExists(folder)) removeTree(folder);
}
