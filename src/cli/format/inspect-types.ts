/**
 * The Go types behind `docker inspect` of Docker 20.10 (API 1.41, `types.ContainerJSON` and `types.ImageInspect`): what
 * fields templates see, in what order they print, and what they are where the JSON leaves them out.
 */
import type { Structs } from './go/typed.ts';

const CONTAINER = [
  ...['ID:Id', 'Created', 'Path', 'Args []string', 'State *State', 'Image', 'ResolvConfPath', 'HostnamePath'],
  ...['HostsPath', 'LogPath', 'Node *any', 'Name', 'RestartCount int', 'Driver', 'Platform', 'MountLabel'],
  ...['ProcessLabel', 'AppArmorProfile', 'ExecIDs []string', 'HostConfig *HostConfig'],
  ...['GraphDriver GraphDriver', 'SizeRw *int', 'SizeRootFs *int', 'Mounts []MountPoint', 'Config *Config'],
  'NetworkSettings *NetworkSettings',
];

const IMAGE = [
  ...['ID:Id', 'RepoTags []string', 'RepoDigests []string', 'Parent', 'Comment', 'Created', 'Container'],
  ...[
    'ContainerConfig *Config',
    'DockerVersion',
    'Author',
    'Config *Config',
    'Architecture',
    'Variant',
    'Os',
  ],
  ...[
    'OsVersion',
    'Size int',
    'VirtualSize int',
    'GraphDriver GraphDriver',
    'RootFS RootFS',
    'Metadata Metadata',
  ],
];

const CONFIG = [
  ...['Hostname', 'Domainname', 'User', 'AttachStdin bool', 'AttachStdout bool', 'AttachStderr bool'],
  ...[
    'ExposedPorts map Empty',
    'Tty bool',
    'OpenStdin bool',
    'StdinOnce bool',
    'Env []string',
    'Cmd []string',
  ],
  ...['Healthcheck *Healthcheck', 'ArgsEscaped bool', 'Image', 'Volumes map Empty', 'WorkingDir'],
  ...['Entrypoint []string', 'NetworkDisabled bool', 'MacAddress', 'OnBuild []string', 'Labels map string'],
  ...['StopSignal', 'StopTimeout *int', 'Shell []string'],
];

const HOST_CONFIG = [
  ...[
    'Binds []string',
    'ContainerIDFile',
    'LogConfig LogConfig',
    'NetworkMode',
    'PortBindings map []Binding',
  ],
  ...[
    'RestartPolicy RestartPolicy',
    'AutoRemove bool',
    'VolumeDriver',
    'VolumesFrom []string',
    'CapAdd []string',
  ],
  ...['CapDrop []string', 'CgroupnsMode', 'DNS:Dns []string', 'DNSOptions:DnsOptions []string'],
  ...['DNSSearch:DnsSearch []string', 'ExtraHosts []string', 'GroupAdd []string', 'IpcMode', 'Cgroup'],
  ...['Links []string', 'OomScoreAdj int', 'PidMode', 'Privileged bool', 'PublishAllPorts bool'],
  ...['ReadonlyRootfs bool', 'SecurityOpt []string', 'StorageOpt map string', 'Tmpfs map string', 'UTSMode'],
  ...['UsernsMode', 'ShmSize int', 'Sysctls map string', 'Runtime', 'ConsoleSize []int', 'Isolation'],
  ...['CPUShares:CpuShares int', 'Memory int', 'NanoCPUs:NanoCpus int', 'CgroupParent', 'BlkioWeight int'],
  ...['BlkioWeightDevice []any', 'BlkioDeviceReadBps []any', 'BlkioDeviceWriteBps []any'],
  ...['BlkioDeviceReadIOps []any', 'BlkioDeviceWriteIOps []any', 'CPUPeriod:CpuPeriod int'],
  ...['CPUQuota:CpuQuota int', 'CPURealtimePeriod:CpuRealtimePeriod int'],
  ...['CPURealtimeRuntime:CpuRealtimeRuntime int', 'CpusetCpus', 'CpusetMems', 'Devices []Device'],
  ...['DeviceCgroupRules []string', 'DeviceRequests []any', 'KernelMemory int', 'KernelMemoryTCP int'],
  ...[
    'MemoryReservation int',
    'MemorySwap int',
    'MemorySwappiness *int',
    'OomKillDisable *bool',
    'PidsLimit *int',
  ],
  ...['Ulimits []Ulimit', 'CPUCount:CpuCount int', 'CPUPercent:CpuPercent int', 'IOMaximumIOps int'],
  ...[
    'IOMaximumBandwidth int',
    'Mounts []any',
    'MaskedPaths []string',
    'ReadonlyPaths []string',
    'Init *bool',
  ],
];

const NETWORK_SETTINGS = [
  ...['Bridge', 'SandboxID', 'HairpinMode bool', 'LinkLocalIPv6Address', 'LinkLocalIPv6PrefixLen int'],
  ...['Ports map []Binding', 'SandboxKey', 'SecondaryIPAddresses []any', 'SecondaryIPv6Addresses []any'],
  ...[
    'EndpointID',
    'Gateway',
    'GlobalIPv6Address',
    'GlobalIPv6PrefixLen int',
    'IPAddress',
    'IPPrefixLen int',
  ],
  ...['IPv6Gateway', 'MacAddress', 'Networks map *Endpoint'],
];

const ENDPOINT = [
  ...[
    'IPAMConfig *any',
    'Links []string',
    'Aliases []string',
    'NetworkID',
    'EndpointID',
    'Gateway',
    'IPAddress',
  ],
  ...['IPPrefixLen int', 'IPv6Gateway', 'GlobalIPv6Address', 'GlobalIPv6PrefixLen int', 'MacAddress'],
  'DriverOpts map string',
];

const STATE = [
  ...['Status', 'Running bool', 'Paused bool', 'Restarting bool', 'OOMKilled bool', 'Dead bool', 'Pid int'],
  ...['ExitCode int', 'Error', 'StartedAt', 'FinishedAt', 'Health *Health'],
];

/** The structs: `Container` and `Image`, and what is in them. */
export const INSPECT_TYPES: Structs = {
  Container: CONTAINER,
  Image: IMAGE,
  Config: CONFIG,
  HostConfig: HOST_CONFIG,
  NetworkSettings: NETWORK_SETTINGS,
  Endpoint: ENDPOINT,
  State: STATE,
  Healthcheck: [
    ...['Test []string', 'Interval duration', 'Timeout duration', 'StartPeriod duration', 'Retries int'],
  ],
  Health: ['Status', 'FailingStreak int', 'Log []*HealthResult'],
  HealthResult: ['Start time', 'End time', 'ExitCode int', 'Output'],
  GraphDriver: ['Data map string', 'Name'],
  MountPoint: ['Type', 'Name', 'Source', 'Destination', 'Driver', 'Mode', 'RW bool', 'Propagation'],
  RootFS: ['Type', 'Layers []string', 'BaseLayer'],
  Metadata: ['LastTagTime time'],
  LogConfig: ['Type', 'Config map string'],
  RestartPolicy: ['Name', 'MaximumRetryCount int'],
  Binding: ['HostIP:HostIp', 'HostPort'],
  Empty: [],
  Device: ['PathOnHost', 'PathInContainer', 'CgroupPermissions'],
  Ulimit: ['Name', 'Hard int', 'Soft int'],
};
