/**
 * The two files that Docker keeps of a container, `containers/<id>/config.v2.json` and `hostconfig.json`, with the keys
 * of Docker 20.10.24 in its order. Unknown keys are kept: what a newer Docker wrote is still there after we write.
 */
import * as z from 'zod/mini';
import { containerConfigSchema } from '../api/container-config.ts';
import { goBool, goInt, goMap, goPointer, goSlice, goString, goStrings, goStruct, omitEmpty } from '../api/go-json.ts';
import type { HostConfig } from '../api/host-config.ts';
import { mountPointSchema } from '../api/mount-point.ts';
import { ZERO_TIME } from '../text/timestamp.ts';

/** A Go `time.Time`: absent means Go's zero time. */
const goTime = () => z._default(z.string(), ZERO_TIME);

const healthSchema = z.looseObject({
  Status: goString(),
  FailingStreak: goInt(),
  Log: goSlice(z.unknown()),
});

/** Docker's `container.State`. */
export const stateSchema = z.looseObject({
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
  Health: goPointer(healthSchema),
});

/** Docker's `EndpointSettings`: a container's part of one network. */
const endpointSchema = z.looseObject({
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
});

/** Docker's `network.Settings`. */
const networkSettingsSchema = z.looseObject({
  Bridge: goString(),
  SandboxID: goString(),
  HairpinMode: goBool(),
  LinkLocalIPv6Address: goString(),
  LinkLocalIPv6PrefixLen: goInt(),
  Networks: goMap(z.nullable(endpointSchema)),
  Service: goPointer(z.unknown()),
  Ports: goMap(goSlice(z.looseObject({ HostIp: goString(), HostPort: goString() }))),
  SandboxKey: goString(),
  SecondaryIPAddresses: goSlice(z.unknown()),
  SecondaryIPv6Addresses: goSlice(z.unknown()),
  IsAnonymousEndpoint: goBool(),
  HasSwarmEndpoint: goBool(),
});

/** Reads `config.v2.json`. */
export const containerFileSchema = z.looseObject({
  StreamConfig: goStruct(z.looseObject({})),
  State: goStruct(stateSchema),
  ID: z.string(),
  Created: goTime(),
  Managed: goBool(),
  Path: goString(),
  Args: goStrings(),
  Config: goStruct(containerConfigSchema),
  /** The image's id; empty for a container of no image. */
  Image: goString(),
  NetworkSettings: goStruct(networkSettingsSchema),
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
});

/** What `config.v2.json` holds. */
export type ContainerFile = z.output<typeof containerFileSchema>;
/** A container's state as Docker stores it. */
export type StoredState = z.output<typeof stateSchema>;
/** A container's networks as Docker stores them. */
export type NetworkSettings = z.output<typeof networkSettingsSchema>;

/** A container as it is on disk: both files. */
export interface StoredContainer {
  readonly file: ContainerFile;
  readonly hostConfig: HostConfig;
}

/** A container's state when it has just been made. */
export function newState(): StoredState {
  return stateSchema.parse({});
}
