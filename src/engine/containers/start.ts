import { errorMessage, TsengineError } from '../../errors.ts';
import { makeDirectories, makeDirectory, removeFile, writeNewFile } from '../../linux/files.ts';
import type { Attachment } from '../api/services.ts';
import { attachTo, type MonitorAttachment } from '../runtime/attach.ts';
import { findConmon, Monitor } from '../runtime/conmon.ts';
import { letConmonServe } from '../runtime/conmon-turn.ts';
import { exitCommandOf } from '../runtime/exit-command.ts';
import { findRuntime, type OciRuntime } from '../runtime/oci-runtime.ts';
import { type RunDir, readPid } from '../runtime/run-dir.ts';
import { noteRuntime } from '../runtime/run-runtime.ts';
import { stateExitCode } from '../runtime/runtime-error.ts';
import { startCreated } from '../runtime/start-created.ts';
import { formatTimestamp, now } from '../text/timestamp.ts';
import { type Prepared, writeBundle } from './bundle.ts';
import type { StoredContainer } from './container-file.ts';
import { bareName, type ContainerContext, noSuchContainer, readContainer, runOf } from './context.ts';
import { leftOut, listed } from './left-out.ts';
import { breakPledge, redeem } from './pledges.ts';
import { cleanUpRun, eraseContainer, settleContainer } from './run-ending.ts';

/** Options of a start. */
export interface StartOptions {
  readonly attach?: (attachment: Attachment) => void;
}

/** Whether the container's state lets it be started; Docker's words where not. */
function checkStartable({ file }: StoredContainer): void {
  const { Paused, Dead, RemovalInProgress } = file.State;
  if (Paused) throw new TsengineError('Conflict', 'cannot start a paused container, try unpause instead');
  if (Dead || RemovalInProgress) {
    throw new TsengineError('Conflict', 'container is marked for removal and cannot be started');
  }
}

/** A container that Docker had on a network of its own starts without one: people are told. */
function warnAboutNetwork(context: ContainerContext, { file, hostConfig }: StoredContainer): void {
  const mode = hostConfig.NetworkMode;
  if (['', 'default', 'none', 'host'].includes(mode)) {
    const had = Object.values(file.NetworkSettings.Networks ?? {}).some(
      (one) => (one?.NetworkID ?? '') !== '',
    );
    if (!had || mode === 'none' || mode === 'host') return;
  } else if (mode !== 'bridge') {
    throw new TsengineError(
      'NotImplemented',
      `container ${file.Name.slice(1)} is on network ${mode}, which is not supported yet`,
    );
  }
  context.warn(`container ${file.Name.slice(1)} was on Docker's network bridge: it starts without a network`);
}

function warnAboutLeftOut(context: ContainerContext, container: StoredContainer): void {
  const what = leftOut(container);
  if (what.length === 0) return;
  context.warn(`container ${bareName(container)}: tsengine does not carry out its ${listed(what)} yet`);
}

/** What a start needs to have found before it changes anything. */
interface Tools {
  readonly conmon: string;
  readonly runtime: OciRuntime;
}

function findTools(context: ContainerContext, { hostConfig }: StoredContainer): Tools {
  const runtime = findRuntime(hostConfig.Runtime ?? '', context.settings, context.root.execRoot);
  return { runtime, conmon: findConmon() };
}

/** The run folder, with the note that says whose business it is to remove what the run makes. */
function makeRunFolder(run: RunDir, runtime: OciRuntime): void {
  makeDirectories(run.exits, 0o700);
  makeDirectories(run.path.slice(0, run.path.lastIndexOf('/')), 0o700);
  removeFile(`${run.exits}/${run.id}`);
  makeDirectory(run.path, 0o700);
  noteRuntime(run, runtime);
}

/** All that must be there before the runtime is called. */
async function prepare(
  context: ContainerContext,
  container: StoredContainer,
  run: RunDir,
): Promise<Prepared> {
  writeNewFile(run.mounted, '', { durable: false });
  const { MountLabel } = container.file;
  const layer = await context.layers.mountContainerLayer(run.id, MountLabel === '' ? undefined : MountLabel, {
    isVolatile: container.hostConfig.AutoRemove,
  });
  return await writeBundle(context, container, run, layer.path);
}

function stdinOf({ file }: StoredContainer): 'none' | 'once' | 'keep' {
  const { OpenStdin, StdinOnce } = file.Config;
  return OpenStdin ? (StdinOnce ? 'once' : 'keep') : 'none';
}

/** Starts the container's monitor, which waits until all is prepared. */
function startMonitor(
  context: ContainerContext,
  container: StoredContainer,
  run: RunDir,
  tools: Tools,
  attached: boolean,
): Monitor {
  const { hostConfig, file } = container;
  const isSystemd = context.host().cgroupDriver === 'systemd';
  return new Monitor(tools.conmon, {
    run,
    runtime: tools.runtime,
    name: bareName(container),
    terminal: file.Config.Tty,
    stdin: stdinOf(container),
    log: hostConfig.LogConfig.Type === 'none' ? undefined : context.store.paths(run.id).log,
    systemdCgroup: isSystemd,
    cgroupParent: isSystemd ? '/tsengine' : context.settings.spec.cgroupParent,
    heldFd: context.root.heldFd,
    exitCommand: exitCommandOf(run, [...context.exitCommand, run.id], attached ? process.pid : undefined),
  });
}

/** The container's record while it runs. */
function running(
  context: ContainerContext,
  { file, hostConfig }: StoredContainer,
  pid: number,
  startedAt: bigint,
  prepared: Prepared,
): StoredContainer {
  const paths = context.store.paths(file.ID);
  const State = {
    ...file.State,
    Running: true,
    Restarting: false,
    OOMKilled: false,
    Pid: pid,
    ExitCode: 0,
    Error: '',
    StartedAt: formatTimestamp(startedAt),
  };
  const changed = {
    ...file,
    State,
    LogPath: hostConfig.LogConfig.Type === 'none' ? '' : paths.log,
    HasBeenStartedBefore: true,
    HasBeenManuallyStopped: false,
    AppArmorProfile: prepared.appArmorProfile,
    HostnamePath: paths.hostname,
    HostsPath: paths.hosts,
    ShmPath: prepared.shmPath,
    ResolvConfPath: paths.resolvConf,
  };
  return { file: changed, hostConfig };
}

/** Undoes a start that failed and records why, as Docker does: the container stays `created` or `exited`. */
async function undo(
  context: ContainerContext,
  container: StoredContainer,
  run: RunDir,
  error: unknown,
): Promise<void> {
  if (container.hostConfig.AutoRemove) {
    await eraseContainer(context, container, { volumes: true });
    return;
  }
  const message = errorMessage(error);
  const State = {
    ...container.file.State,
    Running: false,
    Pid: 0,
    Error: message,
    ExitCode: stateExitCode(message),
  };
  // The mounts first: on a full disk they can still be undone, and a record perhaps not be written.
  await cleanUpRun(context, run);
  context.store.write({ ...container, file: { ...container.file, State } });
}

/** Creates the process, connects whoever attaches, and lets it go. */
async function launch(
  context: ContainerContext,
  container: StoredContainer,
  run: RunDir,
  tools: Tools,
  options: StartOptions,
): Promise<void> {
  makeRunFolder(run, tools.runtime);
  await using monitor = startMonitor(context, container, run, tools, options.attach !== undefined);
  const prepared = await prepare(context, container, run);
  const pid = await monitor.create();
  if (options.attach !== undefined) {
    hand(context, run, await attachTo(run), options);
    await letConmonServe(run);
  }
  const startedAt = now();
  await startCreated(tools.runtime, run.id, pid);
  context.store.write(running(context, container, pid, startedAt, prepared));
}

function hand(
  context: ContainerContext,
  run: RunDir,
  attachment: MonitorAttachment,
  options: StartOptions,
): void {
  context.attached.set(run.id, attachment);
  options.attach?.(attachment);
}

/** Starts a container: see `ContainerService.start`. One that runs already is only attached to. */
export async function startContainer(
  context: ContainerContext,
  id: string,
  options: StartOptions,
): Promise<void> {
  using _ = await context.store.lock(id);
  const container = await settleContainer(context, readContainer(context, id));
  if (container === undefined) throw noSuchContainer(id);
  const run = runOf(context, id);
  checkStartable(container);
  if (container.file.State.Running) {
    if (options.attach !== undefined) hand(context, run, await attachTo(run), options);
    return;
  }
  try {
    const tools = findTools(context, container);
    warnAboutNetwork(context, container);
    warnAboutLeftOut(context, container);
    await launch(context, container, run, tools, options);
  } catch (error) {
    context.attached.get(id)?.[Symbol.dispose]();
    context.attached.delete(id);
    // What people must hear is why it did not start; what could not be undone is undone by the next command.
    await undo(context, container, run, error).catch((undoing: unknown) => {
      breakPledge(context, id);
      context.warn(`after the failed start of ${bareName(container)}: ${errorMessage(undoing)}`);
    });
    throw error;
  } finally {
    redeem(context, id);
  }
}

/** The first process of a running container. */
export function mainProcess(context: ContainerContext, container: StoredContainer): number | undefined {
  return readPid(runOf(context, container.file.ID).pid) ?? (container.file.State.Pid || undefined);
}
