import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { writeFileAtomic } from '../../linux/files.ts';
import { isAlive, isInCgroupOf } from '../../linux/processes.ts';
import { waitForExit } from '../runtime/exit-watch.ts';
import { thawRun } from '../runtime/freeze.ts';
import type { RunDir } from '../runtime/run-dir.ts';
import { readRuntime } from '../runtime/run-runtime.ts';
import { Turns } from '../turns.ts';
import type { StoredContainer } from './container-file.ts';
import { bareName, type ContainerContext, noSuchContainer, readContainer, runOf } from './context.ts';
import { lockToEnd, settleContainer } from './run-ending.ts';
import { checkSignal, parseSignal } from './signals.ts';
import { mainProcess } from './start.ts';
import { recordEnd } from './wait.ts';

const SIGKILL = 9;
/** Docker's patience, in seconds, before it kills what was asked to stop. */
const DEFAULT_STOP_TIMEOUT = 10;
/** How long a killed process may take to be gone, in milliseconds. */
const KILL_PATIENCE = 10_000;

/** The container as it is now, its end recorded if it has ended. */
async function currentContainer(context: ContainerContext, id: string): Promise<StoredContainer> {
  using _ = await lockToEnd(context, id);
  const container = await settleContainer(context, readContainer(context, id));
  if (container === undefined) throw noSuchContainer(id);
  return container;
}

/** Docker's error for a container that does not run. */
function notRunning(id: string): TsengineError {
  return new TsengineError('Conflict', `Container ${id} is not running`);
}

/**
 * Sends a signal to the container's first process. Its cgroup says that it is the container's: a pid alone could be
 * anybody's by now. `false` when it is gone already.
 */
function send(context: ContainerContext, container: StoredContainer, signal: number): boolean {
  const pid = mainProcess(context, container);
  if (pid === undefined || !isAlive(pid)) return false;
  if (!isInCgroupOf(pid, container.file.ID)) return false;
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Says that this process will record the end that it is about to bring, which saves conmon's callback the start of
 * another one of us. A hint: without it both do the same work, one after the other.
 */
function announce(run: RunDir): void {
  try {
    writeFileAtomic(run.watcher, `${process.pid}\n`, { mode: 0o600, durable: false });
  } catch (error) {
    // It ended just now and was cleaned up, or the disk is full.
    if (!hasErrno(error, 'ENOENT', 'ENOSPC', 'EDQUOT')) throw error;
  }
}

/** A frozen process takes no signal: one that is to die is thawed. */
async function thaw(context: ContainerContext, id: string): Promise<void> {
  const run = runOf(context, id);
  const runtime = readRuntime(run);
  if (runtime !== undefined) await thawRun(run, runtime);
}

/** Waits until the run is over, so long. Gives whether it is. */
async function isOverWithin(context: ContainerContext, id: string, milliseconds: number): Promise<boolean> {
  const run = runOf(context, id);
  const stop = new AbortController();
  const timer =
    milliseconds === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => stop.abort(), milliseconds);
  try {
    await waitForExit(run, false, stop.signal);
    return !stop.signal.aborted;
  } finally {
    clearTimeout(timer);
  }
}

/** Sends a signal that is to end the container, and sees to it that it gets there. */
async function sendLast(
  context: ContainerContext,
  container: StoredContainer,
  signal: number,
): Promise<void> {
  const { ID } = container.file;
  announce(runOf(context, ID));
  send(context, container, signal);
  await thaw(context, ID);
}

async function waitUntilKilled(context: ContainerContext, id: string): Promise<void> {
  if (!(await isOverWithin(context, id, KILL_PATIENCE))) {
    throw new TsengineError('System', 'tried to kill container, but did not receive an exit event');
  }
}

/** Kills a running container with SIGKILL and waits until its run is over. */
export async function killAndWait(context: ContainerContext, container: StoredContainer): Promise<void> {
  await sendLast(context, container, SIGKILL);
  await waitUntilKilled(context, container.file.ID);
}

/** `kill`: sends a signal, SIGKILL by default, in which case the end is waited for. Fails in Docker's words. */
export async function killContainer(
  context: ContainerContext,
  find: () => Promise<string>,
  shown: string,
  text = '',
): Promise<void> {
  const signal = text === '' ? SIGKILL : parseSignal(text);
  let id: string;
  try {
    id = await find();
    checkSignal(signal);
    const container = await currentContainer(context, id);
    if (!container.file.State.Running) throw notRunning(id);
    if (signal !== SIGKILL) {
      if (!send(context, container, signal)) throw notRunning(id);
      return;
    }
    await killAndWait(context, container);
  } catch (error) {
    if (!(error instanceof TsengineError)) throw error;
    throw new TsengineError(error.code, `Cannot kill container: ${shown}: ${error.message}`, {
      cause: error,
    });
  }
  await recordEnd(context, id);
}

/** Several containers may be asked to stop at once: the time that they take is waited for together, the rest is done in turn. */
const turns = new Turns();

/** Asks the container to stop. Gives it as it was, and `undefined` when it does not run. */
async function askToStop(context: ContainerContext, id: string): Promise<StoredContainer | undefined> {
  const container = await currentContainer(context, id);
  if (!container.file.State.Running) return undefined;
  const { StopSignal } = container.file.Config;
  const signal = (StopSignal ?? '') === '' ? 15 : parseSignal(StopSignal ?? '');
  noteManualStop(context, container);
  await sendLast(context, container, signal);
  return container;
}

/**
 * `stop`: asks with the container's stop signal, and kills after the timeout (negative: never). One that does not run is
 * left alone. May be called for several containers at once.
 */
export async function stopContainer(
  context: ContainerContext,
  find: () => Promise<string>,
  timeout: number | undefined,
): Promise<void> {
  const asked = await turns.take(async () => await askToStop(context, await find()));
  if (asked === undefined) return;
  const { ID, Config } = asked.file;
  const seconds = timeout ?? Config.StopTimeout ?? DEFAULT_STOP_TIMEOUT;
  const patience = seconds < 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
  if (!(await isOverWithin(context, ID, patience))) {
    await turns.take(() => sendLast(context, asked, SIGKILL));
    await waitUntilKilled(context, ID);
  }
  await turns.take(() => recordEnd(context, ID));
}

/** Docker remembers that somebody wanted the container to stop: policies that restart it respect that. */
function noteManualStop(context: ContainerContext, container: StoredContainer): void {
  if (container.hostConfig.AutoRemove || container.file.HasBeenManuallyStopped) return;
  using lock = context.store.tryLock(container.file.ID);
  const now = lock === undefined ? undefined : context.store.read(container.file.ID);
  if (now === undefined) return;
  try {
    context.store.write({ ...now, file: { ...now.file, HasBeenManuallyStopped: true } });
  } catch (error) {
    // A full disk must not keep the container from being stopped.
    context.warn(`container ${bareName(container)}: ${errorMessage(error)}`);
  }
}
