/**
 * What happens to a container's settings when it is created: checks in Docker's words, and defaults that depend on the
 * host. The result is what `hostconfig.json` and `config.v2.json` hold.
 */
import { TsengineError } from '../../../errors.ts';
import type { ContainerConfig } from '../../api/container-config.ts';
import type { HostConfig } from '../../api/host-config.ts';
import { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS, DEFAULT_SHM_SIZE } from '../../api/host-defaults.ts';
import { requestedCapabilities } from './capabilities.ts';
import type { HostFacts } from './input.ts';
import { parseSecurityOptions } from './security-options.ts';
import { isSlice, NO_SLICE } from './slice.ts';

const MIB = 1024 * 1024;

/** Docker's floor for memory limits, in bytes: below it the runtime itself does not start. */
const MIN_MEMORY = 6 * MIB;

/** Two or more checks: the first whose condition holds is the error. */
type Checks = readonly (readonly [wrong: boolean, message: string])[];

function refuse(checks: Checks): void {
  const failed = checks.find(([wrong]) => wrong);
  if (failed !== undefined) throw new TsengineError('InvalidParameter', failed[1]);
}

function checkMemory(config: HostConfig): void {
  const { Memory, MemorySwap, MemoryReservation, MemorySwappiness, KernelMemory } = config;
  const swappiness = MemorySwappiness ?? -1;
  refuse([
    [Memory !== 0 && Memory < MIN_MEMORY, 'Minimum memory limit allowed is 6MB'],
    [
      Memory > 0 && MemorySwap > 0 && MemorySwap < Memory,
      'Minimum memoryswap limit should be larger than memory limit, see usage',
    ],
    [
      Memory === 0 && MemorySwap > 0,
      'You should always set the Memory limit when using Memoryswap limit, see usage',
    ],
    [
      swappiness < -1 || swappiness > 100,
      `Invalid value: ${swappiness}, valid memory swappiness range is 0-100`,
    ],
    [MemoryReservation > 0 && MemoryReservation < MIN_MEMORY, 'Minimum memory reservation allowed is 6MB'],
    [
      Memory > 0 && Memory < MemoryReservation,
      'Minimum memory limit can not be less than memory reservation limit, see usage',
    ],
    [KernelMemory > 0 && KernelMemory < MIN_MEMORY, 'Minimum kernel memory limit allowed is 6MB'],
  ]);
}

function checkCpu(config: HostConfig, cpus: number): void {
  const { NanoCpus, CpuPeriod, CpuQuota } = config;
  refuse([
    [NanoCpus > 0 && CpuPeriod > 0, 'Conflicting options: Nano CPUs and CPU Period cannot both be set'],
    [NanoCpus > 0 && CpuQuota > 0, 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'],
    [
      NanoCpus < 0 || NanoCpus > cpus * 1e9,
      `Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
    ],
    [
      CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000),
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    ],
    [CpuQuota > 0 && CpuQuota < 1000, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
  ]);
}

function checkRest(config: ContainerConfig, hostConfig: HostConfig, host: HostFacts): void {
  const { CgroupParent, OomScoreAdj, BlkioWeight, ShmSize, RestartPolicy } = hostConfig;
  const emptyName = (config.Env ?? []).find((entry) => entry === '' || entry.startsWith('='));
  refuse([
    [
      config.WorkingDir !== '' && !config.WorkingDir.startsWith('/'),
      `the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`,
    ],
    [emptyName !== undefined, `invalid environment variable: ${emptyName}`],
    [
      hostConfig.AutoRemove && RestartPolicy.Name !== '' && RestartPolicy.Name !== 'no',
      "can't create 'AutoRemove' container with restart policy",
    ],
    [BlkioWeight > 0 && (BlkioWeight < 10 || BlkioWeight > 1000), 'Range of blkio weight is from 10 to 1000'],
    [ShmSize < 0, 'SHM size can not be less than 0'],
    [
      OomScoreAdj < -1000 || OomScoreAdj > 1000,
      `Invalid value ${OomScoreAdj}, range for oom score adj is [-1000, 1000]`,
    ],
    [
      hostConfig.UTSMode === 'host' && config.Hostname !== '',
      'conflicting options: hostname and the UTS mode',
    ],
    [CgroupParent !== '' && host.cgroupDriver === 'systemd' && !isSlice(CgroupParent), NO_SLICE],
  ]);
}

/** A machine's facts that creation goes by. */
export interface CreateHost extends HostFacts {
  /** How many CPUs there are. */
  readonly cpus: number;
}

/**
 * Checks the settings of a container about to be created, with the host name as the user gave it (before the default
 * is filled in). Throws `InvalidParameter` in Docker's words.
 */
export function checkSettings(config: ContainerConfig, hostConfig: HostConfig, host: CreateHost): void {
  requestedCapabilities(hostConfig);
  parseSecurityOptions(hostConfig.SecurityOpt);
  checkMemory(hostConfig);
  checkCpu(hostConfig, host.cpus);
  checkRest(config, hostConfig, host);
}

/** Containers that see the host's processes or IPC, and privileged ones, are not confined by SELinux. */
function labelOptions(config: HostConfig): string[] {
  const open = config.Privileged || config.PidMode === 'host' || config.IpcMode === 'host';
  return open ? ['label=disable'] : [];
}

/**
 * The HostConfig that is stored: what the user left open filled in as Docker 20.10.24 does (swap twice the memory,
 * IPC and cgroup namespace modes, shared memory size, path lists).
 */
export function completeHostConfig(config: HostConfig, host: Pick<HostFacts, 'cgroupVersion'>): HostConfig {
  const v2 = host.cgroupVersion === 2;
  const labels = labelOptions(config);
  const hidden = (own: string[] | null, defaults: readonly string[]): string[] | null =>
    own ?? (config.Privileged ? null : [...defaults]);
  return {
    ...config,
    NetworkMode: config.NetworkMode === '' ? 'default' : config.NetworkMode,
    IpcMode: config.IpcMode === '' ? 'private' : config.IpcMode,
    CgroupnsMode: config.CgroupnsMode === '' ? (v2 ? 'private' : 'host') : config.CgroupnsMode,
    SecurityOpt: labels.length > 0 ? [...(config.SecurityOpt ?? []), ...labels] : config.SecurityOpt,
    ShmSize: config.ShmSize === 0 ? DEFAULT_SHM_SIZE : config.ShmSize,
    MemorySwap: config.Memory > 0 && config.MemorySwap === 0 ? config.Memory * 2 : config.MemorySwap,
    MemorySwappiness: config.MemorySwappiness === -1 ? null : config.MemorySwappiness,
    OomKillDisable: config.OomKillDisable ?? false,
    MaskedPaths: hidden(config.MaskedPaths, DEFAULT_MASKED_PATHS),
    ReadonlyPaths: hidden(config.ReadonlyPaths, DEFAULT_READONLY_PATHS),
  };
}
