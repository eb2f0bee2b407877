/**
 * The half of a container's configuration that belongs to one host: Docker API v1.41 `HostConfig`, as in the body of
 * `POST /containers/create`, in `docker inspect` (`.HostConfig`) and in `hostconfig.json`.
 */
import * as z from 'zod/mini';
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
  omitEmptyBool,
  omitEmptyString,
  omitEmptyStringMap,
  strSlice,
} from './go-json.ts';
import { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS, DEFAULT_SHM_SIZE } from './host-defaults.ts';

const weightDeviceSchema = z.looseObject({ Path: goString(), Weight: goInt() });
const throttleDeviceSchema = z.looseObject({ Path: goString(), Rate: goInt() });

/** One `--device`: a device node of the host, or a directory of them, and where it appears. */
export const deviceMappingSchema = z.looseObject({
  PathOnHost: goString(),
  PathInContainer: goString(),
  CgroupPermissions: goString(),
});

const deviceRequestSchema = z.looseObject({
  Driver: goString(),
  Count: goInt(),
  DeviceIDs: goStrings(),
  Capabilities: goSlice(z.array(z.string())),
  Options: goMap(z.string()),
});

/** One `--ulimit`; -1 is unlimited. */
export const ulimitSchema = z.looseObject({ Name: goString(), Hard: goInt(), Soft: goInt() });

/** One `--mount` (or the long form of compose). */
export const mountSchema = z.looseObject({
  Type: omitEmptyString(),
  Source: omitEmptyString(),
  Target: omitEmptyString(),
  ReadOnly: omitEmptyBool(),
  Consistency: omitEmptyString(),
  BindOptions: omitEmpty(z.looseObject({ Propagation: omitEmptyString(), NonRecursive: omitEmptyBool() })),
  VolumeOptions: omitEmpty(
    z.looseObject({
      NoCopy: omitEmptyBool(),
      Labels: omitEmptyStringMap(),
      DriverConfig: omitEmpty(
        z.looseObject({
          Name: omitEmptyString(),
          Options: omitEmptyStringMap(),
        }),
      ),
    }),
  ),
  TmpfsOptions: omitEmpty(z.looseObject({ SizeBytes: omitEmpty(z.int()), Mode: omitEmpty(z.int()) })),
});

const portBindingSchema = z.looseObject({ HostIp: goString(), HostPort: goString() });

/** Reads a `HostConfig` from JSON: absent keys become Go's zero values, unknown keys are kept. */
export const hostConfigSchema = z.looseObject({
  Binds: goStrings(),
  ContainerIDFile: goString(),
  LogConfig: goStruct(z.looseObject({ Type: goString(), Config: goMap(z.string()) })),
  NetworkMode: goString(),
  PortBindings: goMap(goSlice(portBindingSchema)),
  RestartPolicy: goStruct(z.looseObject({ Name: goString(), MaximumRetryCount: goInt() })),
  AutoRemove: goBool(),
  VolumeDriver: goString(),
  VolumesFrom: goStrings(),
  CapAdd: strSlice(),
  CapDrop: strSlice(),
  CgroupnsMode: goString(),
  Dns: goStrings(),
  DnsOptions: goStrings(),
  DnsSearch: goStrings(),
  ExtraHosts: goStrings(),
  GroupAdd: goStrings(),
  IpcMode: goString(),
  Cgroup: goString(),
  Links: goStrings(),
  OomScoreAdj: goInt(),
  PidMode: goString(),
  Privileged: goBool(),
  PublishAllPorts: goBool(),
  ReadonlyRootfs: goBool(),
  SecurityOpt: goStrings(),
  StorageOpt: omitEmptyStringMap(),
  Tmpfs: omitEmptyStringMap(),
  UTSMode: goString(),
  UsernsMode: goString(),
  ShmSize: goInt(),
  Sysctls: omitEmptyStringMap(),
  Runtime: omitEmptyString(),
  ConsoleSize: z._default(z.array(z.int()), () => [0, 0]),
  Isolation: goString(),
  CpuShares: goInt(),
  Memory: goInt(),
  NanoCpus: goInt(),
  CgroupParent: goString(),
  BlkioWeight: goInt(),
  BlkioWeightDevice: goSlice(weightDeviceSchema),
  BlkioDeviceReadBps: goSlice(throttleDeviceSchema),
  BlkioDeviceWriteBps: goSlice(throttleDeviceSchema),
  BlkioDeviceReadIOps: goSlice(throttleDeviceSchema),
  BlkioDeviceWriteIOps: goSlice(throttleDeviceSchema),
  CpuPeriod: goInt(),
  CpuQuota: goInt(),
  CpuRealtimePeriod: goInt(),
  CpuRealtimeRuntime: goInt(),
  CpusetCpus: goString(),
  CpusetMems: goString(),
  Devices: goSlice(deviceMappingSchema),
  DeviceCgroupRules: goStrings(),
  DeviceRequests: goSlice(deviceRequestSchema),
  KernelMemory: goInt(),
  KernelMemoryTCP: goInt(),
  MemoryReservation: goInt(),
  MemorySwap: goInt(),
  MemorySwappiness: goPointer(z.int()),
  OomKillDisable: goPointer(z.boolean()),
  PidsLimit: goPointer(z.int()),
  Ulimits: goSlice(ulimitSchema),
  CpuCount: goInt(),
  CpuPercent: goInt(),
  IOMaximumIOps: goInt(),
  IOMaximumBandwidth: goInt(),
  Mounts: omitEmpty(z.array(mountSchema)),
  MaskedPaths: goStrings(),
  ReadonlyPaths: goStrings(),
  Init: omitEmptyBool(),
});

/** A container's host configuration, complete: what `hostConfigSchema` returns. */
export type HostConfig = z.output<typeof hostConfigSchema>;

/** One `--device`. */
export type DeviceMapping = z.output<typeof deviceMappingSchema>;

/** One `--ulimit`. */
export type Ulimit = z.output<typeof ulimitSchema>;

/** One `--mount`. */
export type Mount = z.output<typeof mountSchema>;

/**
 * What Docker 20.10.24 stores for `docker create IMAGE` without flags. Cgroup namespaces are private where the host
 * has cgroup v2 (`cgroupVersion` 2) and the host's elsewhere.
 */
export function defaultHostConfig(cgroupVersion: 1 | 2): HostConfig {
  return hostConfigSchema.parse({
    LogConfig: { Type: 'json-file', Config: {} },
    NetworkMode: 'default',
    PortBindings: {},
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    CgroupnsMode: cgroupVersion === 2 ? 'private' : 'host',
    Dns: [],
    DnsOptions: [],
    DnsSearch: [],
    IpcMode: 'private',
    ShmSize: DEFAULT_SHM_SIZE,
    Runtime: 'runc',
    BlkioWeightDevice: [],
    Devices: [],
    OomKillDisable: false,
    MaskedPaths: [...DEFAULT_MASKED_PATHS],
    ReadonlyPaths: [...DEFAULT_READONLY_PATHS],
  });
}
