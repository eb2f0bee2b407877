/**
 * The end of a container's run: what is recorded, and what is cleaned up. Whoever holds the container's lock may do it,
 * as often as they like: conmon's exit command, the foreground that watched it, or any later command that finds a run
 * whose end nobody recorded, because conmon was killed or the machine stopped.
 *
 * The order makes it repeatable at any point: the record first (for `--rm`: the container taken away), then runtime,
 * mounts and layer, and the run folder last.
 */
import { statSync } from 'node:fs';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { listDirectory, pathExists, removeFile } from '../../linux/files.ts';
import type { Lock } from '../../linux/flock.ts';
import { isAlive, isInCgroupOf } from '../../linux/processes.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import type { MountPoint } from '../api/mount-point.ts';
import { keepReserve, type ReservePurpose, withReserve } from '../reserve.ts';
import { deleteContainer } from '../runtime/delete-container.ts';
import { thawRun } from '../runtime/freeze.ts';
import { endMakers } from '../runtime/half-made.ts';
import { type Ending, isMonitored, type RunDir, readEnding } from '../runtime/run-dir.ts';
import { readRuntime } from '../runtime/run-runtime.ts';
import { formatTimestamp, now, parseTimestamp } from '../text/timestamp.ts';
import type { ContainerFile, StoredContainer } from './container-file.ts';
import { bareName, type ContainerContext, runOf } from './context.ts';
import { releaseSharedMemory } from './shared-memory.ts';
import { abandonVolumes, isAnonymous, removeVolumes } from './volumes.ts';

/** Docker's exit code for a container that did not survive its machine, or its daemon. */
const EXIT_LOST = 255;
/** A container whose conmon was killed is killed as well: 128 + SIGKILL. */
export const EXIT_KILLED = 137;

/** One whose layer is lost, as with a store that was taken away, is in nobody's way. */
async function unmountLayerIfAny(context: ContainerContext, id: string): Promise<void> {
  if (context.layers.containerLayer(id) !== undefined) await context.layers.unmountContainerLayer(id);
}

/** Removes everything that a run needed. A container that is frozen is thawed first: it could not die. */
export async function cleanUpRun(context: ContainerContext, run: RunDir): Promise<void> {
  if (!pathExists(run.path)) return;
  if (!pathExists(run.exit)) await endMakers(run);
  const runtime = readRuntime(run);
  if (runtime !== undefined) {
    await thawRun(run, runtime);
    await deleteContainer(runtime, run);
  }
  for (const folder of context.store.foldersOf(run.id)) releaseSharedMemory(`${folder}/mounts`);
  if (pathExists(run.mounted)) {
    await unmountLayerIfAny(context, run.id);
    removeFile(run.mounted);
  }
  removeTree(run.path);
}

/** Takes the container's lock, to record its end or, as a removal, to remove it: both must be possible when there is no space for a lock's file. */
export function lockToEnd(
  context: ContainerContext,
  id: string,
  purpose: ReservePurpose = 'end',
): Promise<Lock> {
  return withReserve(context.root, () => context.store.lock(id), purpose);
}

/** How long the exit code of a removed container is kept for those who wait for it. Milliseconds. */
const KEEP_EXIT_CODE = 60_000;

/** Removes exit codes that nobody waits for any more. One that cannot be removed now is by the next who tries. */
function pruneExitCodes(exits: string): void {
  try {
    for (const name of listDirectory(exits)) {
      const stat = statSync(`${exits}/${name}`, { throwIfNoEntry: false });
      if (stat !== undefined && Date.now() - stat.mtimeMs > KEEP_EXIT_CODE) removeFile(`${exits}/${name}`);
    }
  } catch {
    // What was asked for is done.
  }
}

/** Takes a container away with all that belongs to it. The caller holds its lock; it does not run. */
export async function eraseContainer(
  context: ContainerContext,
  container: StoredContainer,
  options: { readonly volumes: boolean },
): Promise<void> {
  const { file, hostConfig } = container;
  const { root } = context;
  const hiding = { durable: !hostConfig.AutoRemove, volumes: options.volumes };
  await withReserve(root, () => context.store.hide(file.ID, hiding));
  try {
    await withReserve(root, () => eraseHidden(context, file.ID, { file, volumes: options.volumes }));
  } catch (error) {
    throw new TsengineError(
      'System',
      `container ${bareName(container)} is removed, but not all of its files, which the next command tries again: ${errorMessage(error)}`,
      { cause: error },
    );
  }
  keepReserve(root);
  pruneExitCodes(runOf(context, file.ID).exits);
}

/**
 * Removes what is left of a container that is hidden already, or was never finished. Its folder, which says what else
 * belongs to it, goes last, so that this can be done again after a kill at any point.
 */
async function eraseHidden(
  context: ContainerContext,
  id: string,
  hidden: { readonly file: ContainerFile; readonly volumes: boolean } | undefined,
): Promise<void> {
  await cleanUpRun(context, runOf(context, id));
  const image = hidden?.file.Image ?? '';
  await context.layers.removeContainerLayer(id, image === '' ? {} : { image });
  if (hidden !== undefined) {
    context.store.names.release(hidden.file.Name.replace(/^\//, ''), id);
    if (hidden.volumes) {
      const anonymous = Object.values(hidden.file.MountPoints ?? {}).filter(isAnonymous);
      if (anonymous.length > 0) removeUnused(context, id, anonymous);
    }
  }
  // Else its own file names them.
  const noted = hidden === undefined ? context.store.notedVolumes(id) : [];
  if (noted.length > 0) abandonVolumes(context.root, id, noted, context.store.volumeUse(id));
  context.store.clear(id);
}

/** Removes those of a container's volumes that no other container has, of whatever engine and driver, as Docker does. */
function removeUnused(context: ContainerContext, id: string, points: readonly MountPoint[]): void {
  const isUsed = context.store.volumeUse(id);
  removeVolumes(
    context.root,
    points.map(({ Name }) => Name).filter((volume) => !isUsed(volume)),
  );
}

/** Removes all that there is of a container whose creation failed. The caller holds its lock. */
export async function eraseUnfinished(context: ContainerContext, id: string): Promise<void> {
  context.store.hide(id, { durable: false, volumes: true });
  await eraseHidden(context, id, context.store.hidden(id));
}

/** Finishes what dead processes began: containers half made or half removed. Costs three directory listings when there are none. */
export async function recoverContainers(context: ContainerContext): Promise<void> {
  for (const id of context.store.voidIds()) {
    using lock = context.store.tryLock(id);
    if (lock === undefined || context.store.exists(id)) continue;
    // Whoever made it had its layer mounted for a moment, perhaps its last. One release too many is harmless.
    await unmountLayerIfAny(context, id);
    await eraseHidden(context, id, context.store.hidden(id));
  }
  if (context.store.names.mayNeedPruning()) await context.store.names.prune();
}

/** The time of the exit file comes from a clock that is a tick behind ours. */
function notBefore(time: bigint, start: string): bigint {
  const started = parseTimestamp(start);
  return time < started ? started : time;
}

/** A container's state, with the keys of `config.v2.json`, after its run ended so. */
export function endedState<T extends { readonly StartedAt: string }>(state: T, ending: Ending) {
  return {
    ...state,
    Running: false,
    Paused: false,
    Restarting: false,
    Pid: 0,
    OOMKilled: ending.oomKilled,
    ExitCode: ending.code,
    FinishedAt: formatTimestamp(notBefore(ending.finishedAt, state.StartedAt)),
  };
}

/** Records that the run ended so. Gives the container as it is now, `undefined` when it is gone with its run. */
async function recordEnding(
  context: ContainerContext,
  container: StoredContainer,
  ending: Ending,
): Promise<StoredContainer | undefined> {
  const { file, hostConfig } = container;
  if (hostConfig.AutoRemove) {
    // What the container came to is what people want to know.
    await eraseContainer(context, container, { volumes: true }).catch((error: unknown) => {
      if (context.store.exists(file.ID)) throw error;
      context.warn(errorMessage(error));
    });
    return undefined;
  }
  const ended = { file: { ...file, State: endedState(file.State, ending) }, hostConfig };
  try {
    await withReserve(context.root, () => context.store.write(ended), 'end');
  } catch (error) {
    if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
    // The exit file stays, and every later command finds the same end, until one can write it down.
    context.warn(
      `container ${bareName(container)} has ended, which cannot be recorded: ${errorMessage(error)}`,
    );
    return ended;
  }
  await cleanUpRun(context, runOf(context, file.ID));
  return ended;
}

/** What the run came to, as far as can be told without conmon; `undefined` when it was never more than prepared. */
export function lostEnding(running: boolean, run: RunDir): Ending | undefined {
  if (!running) return undefined;
  const code = pathExists(run.path) ? EXIT_KILLED : EXIT_LOST;
  return { code, finishedAt: now(), oomKilled: pathExists(run.oom) };
}

/** Another exec root, or a Docker that died, may have the run that ours does not: then the process lives in a cgroup that names the container. */
function refuseForeignRun(container: StoredContainer): void {
  const { Pid } = container.file.State;
  if (Pid === 0 || !isAlive(Pid) || !isInCgroupOf(Pid, container.file.ID)) return;
  const name = bareName(container);
  throw new TsengineError(
    'Conflict',
    `container ${name} still runs (pid ${Pid}), started by Docker or under another exec root: end it there first, or with kill -9 ${Pid} if that is gone`,
  );
}

/**
 * Brings a container's record in line with what runs, and cleans up what nobody else will. The caller holds its lock.
 * Gives the container as it is now; `undefined` when it had ended and was to be removed at its end.
 */
export async function settleContainer(
  context: ContainerContext,
  container: StoredContainer,
): Promise<StoredContainer | undefined> {
  const run = runOf(context, container.file.ID);
  if (!pathExists(run.path)) {
    if (!container.file.State.Running) return container;
    refuseForeignRun(container);
    // The machine stopped: of the mount, its point is left.
    await unmountLayerIfAny(context, container.file.ID);
  }
  const ending = readEnding(run);
  if (ending !== undefined) return await recordEnding(context, container, ending);
  if (container.file.State.Running && isMonitored(run)) return container;
  const lost = lostEnding(container.file.State.Running, run);
  if (lost !== undefined) return await recordEnding(context, container, lost);
  // Prepared, perhaps created, by a process that died before it could say that it runs.
  context.store.clearWrites(container.file.ID);
  await cleanUpRun(context, run);
  return container;
}
