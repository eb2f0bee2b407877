/**
 * The two files that Docker keeps of a container, `containers/<id>/config.v2.json` and `hostconfig.json`, with the keys
 * of Docker 20.10.24 in its order. Unknown keys are kept: what a newer Docker wrote is still there after we write.
 */
import * as z from 'zod/mini';
import { containerConfigSchema } from '../api/container-config.ts';
import {
  goBool,
  goInt,
  goMap,
  goPointer,
  goSlice,
  goString,
  goStrings,
  goStruct,
  omitEmpty,
} from '../api/go-json.ts';
import { type HostConfig, hostConfigSchema } from '../api/host-config.ts';
import { mountPointSchema } from '../api/mount-point.ts';
import { goJson } from '../json.ts';
import { ZERO_TIME } from '../text/timestamp.ts';

/** A Go `time.Time`: absent means Go's zero time. */
const goTime = () => z._default(z.string(), ZERO_TIME);

/** Makes a schema at its first use: a command that makes a container reads none. */
function lazy<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const healthSchema = lazy(() =>
  z.looseObject({
    Status: goString(),
    FailingStreak: goInt(),
    Log: goSlice(z.unknown()),
  }),
);

/** Docker's `container.State`. */
export const stateSchema = lazy(() =>
  z.looseObject({
    Running: goBool(),
    Paused: goBool(),
    Restarting: goBool(),
    OOMKilled: goBool(),
    RemovalInProgress: goBool(),
    Dead: goBool(),
    Pid: goInt(),
    ExitCode: goInt(),
    Error: goString(),
    StartedAt: goTime(),
    FinishedAt: goTime(),
    Health: goPointer(healthSchema()),
  }),
);

/** Docker's `EndpointSettings`: a container's part of one network. */
const endpointSchema = lazy(() =>
  z.looseObject({
    IPAMConfig: goPointer(z.looseObject({})),
    Links: goStrings(),
    Aliases: goStrings(),
    NetworkID: goString(),
    EndpointID: goString(),
    Gateway: goString(),
    IPAddress: goString(),
    IPPrefixLen: goInt(),
    IPv6Gateway: goString(),
    GlobalIPv6Address: goString(),
    GlobalIPv6PrefixLen: goInt(),
    MacAddress: goString(),
    DriverOpts: goMap(z.string()),
    IPAMOperational: goBool(),
  }),
);

/** Docker's `network.Settings`. */
const networkSettingsSchema = lazy(() =>
  z.looseObject({
    Bridge: goString(),
    SandboxID: goString(),
    HairpinMode: goBool(),
    LinkLocalIPv6Address: goString(),
    LinkLocalIPv6PrefixLen: goInt(),
    Networks: goMap(z.nullable(endpointSchema())),
    Service: goPointer(z.unknown()),
    Ports: goMap(goSlice(z.looseObject({ HostIp: goString(), HostPort: goString() }))),
    SandboxKey: goString(),
    SecondaryIPAddresses: goSlice(z.unknown()),
    SecondaryIPv6Addresses: goSlice(z.unknown()),
    IsAnonymousEndpoint: goBool(),
    HasSwarmEndpoint: goBool(),
  }),
);

/** Reads `config.v2.json`. */
export const containerFileSchema = lazy(() =>
  z.looseObject({
    StreamConfig: goStruct(z.looseObject({})),
    State: goStruct(stateSchema()),
    ID: z.string(),
    Created: goTime(),
    Managed: goBool(),
    Path: goString(),
    Args: goStrings(),
    Config: goStruct(containerConfigSchema),
    /** The image's id; empty for a container of no image. */
    Image: goString(),
    NetworkSettings: goStruct(networkSettingsSchema()),
    LogPath: goString(),
    /** With a leading slash. */
    Name: z.string(),
    Driver: goString(),
    OS: goString(),
    MountLabel: goString(),
    ProcessLabel: goString(),
    RestartCount: goInt(),
    HasBeenStartedBefore: goBool(),
    HasBeenManuallyStopped: goBool(),
    MountPoints: goMap(mountPointSchema),
    SecretReferences: goSlice(z.unknown()),
    ConfigReferences: goSlice(z.unknown()),
    AppArmorProfile: goString(),
    HostnamePath: goString(),
    HostsPath: goString(),
    ShmPath: goString(),
    ResolvConfPath: goString(),
    SeccompProfile: goString(),
    NoNewPrivileges: goBool(),
    LocalLogCacheMeta: omitEmpty(z.looseObject({ HaveNotifyEnabled: goBool() })),
  }),
);

/** What `config.v2.json` holds. */
export type ContainerFile = z.output<ReturnType<typeof containerFileSchema>>;
/** A container's state as Docker stores it. */
export type StoredState = z.output<ReturnType<typeof stateSchema>>;
/** A container's networks as Docker stores them. */
export type NetworkSettings = z.output<ReturnType<typeof networkSettingsSchema>>;

/** A container as it is on disk: both files. */
export interface StoredContainer {
  readonly file: ContainerFile;
  readonly hostConfig: HostConfig;
}

/** A container's state when it has just been made. */
export function newState(): StoredState {
  return {
    Running: false,
    Paused: false,
    Restarting: false,
    OOMKilled: false,
    RemovalInProgress: false,
    Dead: false,
    Pid: 0,
    ExitCode: 0,
    Error: '',
    StartedAt: ZERO_TIME,
    FinishedAt: ZERO_TIME,
    Health: null,
  };
}

/** The network settings of a container that has just been made, for one network. */
export function newNetworkSettings(network: string, isAnonymous: boolean): NetworkSettings {
  return {
    Bridge: '',
    SandboxID: '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    Networks: { [network]: newEndpoint() },
    Service: null,
    Ports: null,
    SandboxKey: '',
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    IsAnonymousEndpoint: isAnonymous,
    HasSwarmEndpoint: false,
  };
}

/** A container's part in a network that it was never connected to. */
export function newEndpoint(networkId = '') {
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    NetworkID: networkId,
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    MacAddress: '',
    DriverOpts: null,
    IPAMOperational: false,
  };
}

/** An object with its keys in the order in which Docker writes them; keys that Docker does not know come last. */
function inOrder(value: object, order: readonly string[]): Record<string, unknown> {
  const known = new Map<string, unknown>(order.map((key) => [key, undefined]));
  for (const [key, inner] of Object.entries(value)) known.set(key, inner);
  return Object.fromEntries(known);
}

/** The text of `config.v2.json`. */
export function containerFileText(file: ContainerFile): string {
  const Config = inOrder(file.Config, Object.keys(containerConfigSchema.shape));
  return `${goJson({ ...file, Config })}\n`;
}

/** The text of `hostconfig.json`. */
export function hostConfigText(hostConfig: HostConfig): string {
  return `${goJson(inOrder(hostConfig, Object.keys(hostConfigSchema.shape)))}\n`;
}
