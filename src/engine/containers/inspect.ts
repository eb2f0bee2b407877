import type { MountPoint } from '../api/mount-point.ts';
import type { ContainerInspect } from '../api/services.ts';
import { isSettled } from '../runtime/run-dir.ts';
import { stateName } from '../text/status.ts';
import type { ContainerFile, StoredContainer } from './container-file.ts';
import { type ContainerContext, noSuchContainer, readContainer, runOf } from './context.ts';
import { containerSizes } from './list.ts';
import { settleContainer } from './run-ending.ts';
import { seenState } from './seen-state.ts';
import { volumePath } from './volumes.ts';

function inspectState(state: ContainerFile['State']): Record<string, unknown> {
  return {
    Status: stateName(state),
    Running: state.Running,
    Paused: state.Paused,
    Restarting: state.Restarting,
    OOMKilled: state.OOMKilled,
    Dead: state.Dead,
    Pid: state.Pid,
    ExitCode: state.ExitCode,
    Error: state.Error,
    StartedAt: state.StartedAt,
    FinishedAt: state.FinishedAt,
    ...(state.Health === null ? {} : { Health: { ...state.Health, Log: state.Health.Log ?? [] } }),
  };
}

function inspectMount(context: ContainerContext, point: MountPoint): Record<string, unknown> {
  const volume = point.Type === 'volume';
  return {
    ...(point.Type === '' ? {} : { Type: point.Type }),
    ...(point.Name === '' ? {} : { Name: point.Name }),
    Source: volume ? volumePath(context.root, point.Name) : point.Source,
    Destination: point.Destination,
    ...(point.Driver === '' ? {} : { Driver: point.Driver }),
    Mode: point.Relabel ?? '',
    RW: point.RW,
    Propagation: point.Propagation ?? '',
  };
}

function inspectNetworks(settings: ContainerFile['NetworkSettings']): Record<string, unknown> {
  const networks = Object.entries(settings.Networks ?? {}).map(([name, one]) => {
    if (one === null) return [name, null] as const;
    const { IPAMOperational: _, ...endpoint } = one;
    return [name, endpoint] as const;
  });
  const bridge = settings.Networks?.bridge;
  return {
    Bridge: settings.Bridge,
    SandboxID: settings.SandboxID,
    HairpinMode: settings.HairpinMode,
    LinkLocalIPv6Address: settings.LinkLocalIPv6Address,
    LinkLocalIPv6PrefixLen: settings.LinkLocalIPv6PrefixLen,
    Ports: settings.Ports ?? {},
    SandboxKey: settings.SandboxKey,
    SecondaryIPAddresses: settings.SecondaryIPAddresses,
    SecondaryIPv6Addresses: settings.SecondaryIPv6Addresses,
    EndpointID: bridge?.EndpointID ?? '',
    Gateway: bridge?.Gateway ?? '',
    GlobalIPv6Address: bridge?.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
    IPAddress: bridge?.IPAddress ?? '',
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: bridge?.IPv6Gateway ?? '',
    MacAddress: bridge?.MacAddress ?? '',
    Networks: Object.fromEntries(networks),
  };
}

/** The container as it is now: an end that nobody recorded is recorded first, where something may be written. */
async function current(context: ContainerContext, id: string): Promise<StoredContainer> {
  const container = readContainer(context, id);
  if (isSettled(runOf(context, id), container.file.State.Running)) return container;
  if (context.root.readOnly) {
    const { file, hostConfig } = container;
    return { file: { ...file, State: seenState(context, id, file.State) }, hostConfig };
  }
  using lock = context.store.tryLock(id);
  if (lock === undefined) return container;
  const settled = await settleContainer(context, readContainer(context, id));
  if (settled === undefined) throw noSuchContainer(id);
  return settled;
}

/** `inspect`: Docker 20.10.24's keys, in its order. */
export async function inspectContainer(
  context: ContainerContext,
  id: string,
  options: { readonly size?: boolean } = {},
): Promise<ContainerInspect> {
  const { file, hostConfig } = await current(context, id);
  const sizes = options.size === true ? await containerSizes(context, id) : {};
  return {
    Id: file.ID,
    Created: file.Created,
    Path: file.Path,
    Args: file.Args,
    State: inspectState(file.State),
    Image: file.Image,
    ResolvConfPath: file.ResolvConfPath,
    HostnamePath: file.HostnamePath,
    HostsPath: file.HostsPath,
    LogPath: file.LogPath,
    Name: file.Name,
    RestartCount: file.RestartCount,
    Driver: file.Driver,
    Platform: file.OS,
    MountLabel: file.MountLabel,
    ProcessLabel: file.ProcessLabel,
    AppArmorProfile: file.AppArmorProfile,
    ExecIDs: null,
    HostConfig: { ...hostConfig, Links: null },
    GraphDriver: { Data: (await context.layers.containerMetadata(id)) ?? null, Name: file.Driver },
    ...sizes,
    Mounts: Object.values(file.MountPoints ?? {}).map((point) => inspectMount(context, point)),
    Config: file.Config,
    NetworkSettings: inspectNetworks(file.NetworkSettings),
  };
}
