/** Everything that must be there before the runtime is called: files, mounts, and the OCI configuration. */
import { realpathSync } from 'node:fs';
import { TsengineError } from '../../errors.ts';
import { makeDirectories, pathExists, writeFileAtomic, writeNewFile } from '../../linux/files.ts';
import type { MountPoint } from '../api/mount-point.ts';
import { findProgram, INIT_PROGRAMS } from '../runtime/programs.ts';
import type { RunDir } from '../runtime/run-dir.ts';
import { buildSpec } from '../runtime/spec/build-spec.ts';
import { readBlockDevices, readDevice, readHostDevices } from '../runtime/spec/host-devices.ts';
import { readSourceMounts } from '../runtime/spec/host-facts.ts';
import type { SpecInput } from '../runtime/spec/input.ts';
import { containerOfMode } from '../runtime/spec/namespaces.ts';
import { serializeSpec } from '../runtime/spec/serialize.ts';
import { resolveUser } from '../runtime/spec/user.ts';
import type { StoredContainer } from './container-file.ts';
import type { ContainerPaths } from './container-folders.ts';
import type { ContainerContext } from './context.ts';
import { bindSourceMissing } from './mount-spec.ts';
import { hostsFile, resolvConfFile } from './network-files.ts';
import { RootFilesystem } from './root-filesystem.ts';
import { processOfOther, setUpSharedMemory } from './shared-memory.ts';
import { refuseOptions, volumePath } from './volumes.ts';

/** Writes the container's `hostname`, `hosts` and `resolv.conf` anew, as each start does. */
function writeNetworkFiles(
  context: ContainerContext,
  container: StoredContainer,
  paths: ContainerPaths,
): void {
  const { file, hostConfig } = container;
  const options = { mode: 0o644, durable: false, alone: true };
  writeFileAtomic(paths.hostname, `${file.Config.Hostname}\n`, options);
  writeFileAtomic(paths.hosts, hostsFile(hostConfig, context.settings), options);
  writeFileAtomic(paths.resolvConf, resolvConfFile(hostConfig, context.settings), options);
}

/** A mount point with its source settled: a volume's path looked up, a missing source of `-v` made. */
function settleMount(context: ContainerContext, point: MountPoint): MountPoint {
  if (point.Type === 'volume' || (point.Type === '' && point.Name !== '')) {
    if (point.Driver !== '' && point.Driver !== 'local') {
      throw new TsengineError(
        'NotImplemented',
        `volume ${point.Name} has driver ${point.Driver}, which is not supported`,
      );
    }
    refuseOptions(context.root, point.Name);
    const source = volumePath(context.root, point.Name);
    if (!pathExists(source)) throw new TsengineError('NotFound', `get ${point.Name}: no such volume`);
    return { ...point, Source: source };
  }
  if (point.Type === 'bind' && !pathExists(point.Source)) {
    if (point.SkipMountpointCreation) throw bindSourceMissing(point.Source);
    makeDirectories(point.Source, 0o755);
  }
  return point;
}

function findInit(context: ContainerContext, container: StoredContainer): string | undefined {
  const { initPath, spec } = context.settings;
  if (!(container.hostConfig.Init ?? spec.init)) return undefined;
  return initPath === undefined ? findProgram(...INIT_PROGRAMS) : findProgram(initPath);
}

/** Namespaces of other containers that this one joins. */
async function joined(
  context: ContainerContext,
  container: StoredContainer,
  ipc: string | undefined,
): Promise<NonNullable<SpecInput['joinNamespaces']>> {
  const { NetworkMode, PidMode } = container.hostConfig;
  if (containerOfMode(NetworkMode) !== undefined) {
    throw new TsengineError('NotImplemented', `network ${NetworkMode} is not supported yet`);
  }
  const other = containerOfMode(PidMode);
  const pid = other === undefined ? undefined : (await processOfOther(context, other, '')).pid;
  return {
    ...(ipc === undefined ? {} : { ipc }),
    ...(pid === undefined ? {} : { pid: `/proc/${pid}/ns/pid` }),
  };
}

/** Any profile but the default one is the user's to load. Loaded lazily: most kernels have no AppArmor. */
async function loadAppArmor(context: ContainerContext, profile: string): Promise<void> {
  const { DEFAULT_PROFILE, loadDefaultProfile } = await import('../runtime/apparmor.ts');
  if (profile === DEFAULT_PROFILE) await loadDefaultProfile(context.root.tmpDir);
}

/** What a start changes in `config.v2.json`. */
export interface Prepared {
  readonly shmPath: string;
  readonly appArmorProfile: string;
}

/**
 * Prepares a container's run: `rootfs` is its mounted layer, `run` its run folder, which exists. Fails in Docker's words;
 * what it made is undone with the run folder.
 */
export async function writeBundle(
  context: ContainerContext,
  container: StoredContainer,
  run: RunDir,
  rootfs: string,
): Promise<Prepared> {
  const { file, hostConfig } = container;
  const paths = context.store.paths(file.ID);
  writeNetworkFiles(context, container, paths);
  const points = Object.fromEntries(
    Object.entries(file.MountPoints ?? {}).map(([at, point]) => [at, settleMount(context, point)]),
  );
  using files = new RootFilesystem(rootfs);
  if (file.Config.WorkingDir !== '') files.makeDirectories(file.Config.WorkingDir);
  const user = resolveUser(
    file.Config.User,
    files.read('/etc/passwd'),
    files.read('/etc/group'),
    hostConfig.GroupAdd ?? [],
  );
  const shm = await setUpSharedMemory(context, container);
  const initPath = findInit(context, container);
  const host = context.host();
  const { spec, warnings } = buildSpec({
    id: file.ID,
    path: file.Path,
    args: file.Args ?? [],
    config: file.Config,
    hostConfig,
    // The runtimes take no path with a symbolic link in it, as the driver's folder may be one.
    rootfs: realpathSync.native(rootfs),
    user,
    mountPoints: points,
    networkFiles: { resolvConf: paths.resolvConf, hostname: paths.hostname, hosts: paths.hosts },
    ...(shm.path === '' ? {} : { shmPath: shm.path }),
    joinNamespaces: await joined(context, container, shm.namespace),
    devices: (hostConfig.Devices ?? []).map(readDevice),
    ...(hostConfig.Privileged ? { hostDevices: readHostDevices() } : {}),
    blockDevices: readBlockDevices(hostConfig),
    sourceMounts: readSourceMounts(points),
    host,
    defaults: {
      ...context.settings.spec,
      dataRoot: context.root.path,
      ...(initPath === undefined ? {} : { initPath }),
    },
  });
  for (const warning of warnings) context.warn(warning);
  const appArmorProfile = spec.process.apparmorProfile ?? '';
  if (appArmorProfile !== '') await loadAppArmor(context, appArmorProfile);
  writeNewFile(run.config, serializeSpec(spec), { mode: 0o600, durable: false });
  return { shmPath: shm.path, appArmorProfile };
}
