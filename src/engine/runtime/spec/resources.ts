/** Limits: HostConfig's resource settings as OCI cgroup resources, and ulimits. */
import { TsengineError } from '../../../errors.ts';
import type { HostConfig, Ulimit } from '../../api/host-config.ts';
import type { OciDeviceRule, OciResources, OciRlimit, OciThrottle } from './oci.ts';

/** Numbers of the block devices that limits name, by path. */
export type BlockDevices = Readonly<Record<string, { readonly major: number; readonly minor: number }>>;

/** The period of `--cpus`, in microseconds: the kernel's default for CFS bandwidth. */
const CPU_PERIOD = 100_000;

function memory(config: HostConfig, cgroupVersion: 1 | 2): OciResources['memory'] {
  const swappiness = config.MemorySwappiness;
  return {
    ...(config.Memory > 0 && { limit: config.Memory }),
    ...(config.MemoryReservation > 0 && { reservation: config.MemoryReservation }),
    ...(config.MemorySwap > 0 && { swap: config.MemorySwap }),
    ...(config.KernelMemory !== 0 && { kernel: config.KernelMemory }),
    ...(config.KernelMemoryTCP !== 0 && { kernelTCP: config.KernelMemoryTCP }),
    ...(swappiness !== null && swappiness !== -1 && cgroupVersion === 1 && { swappiness }),
    // cgroup v2 has no such switch, and crun refuses a container that mentions it.
    ...(config.OomKillDisable !== null && cgroupVersion === 1 && { disableOOMKiller: config.OomKillDisable }),
  };
}

function cpu(config: HostConfig): OciResources['cpu'] {
  if (config.CpuShares < 0) throw new TsengineError('InvalidParameter', 'shares: invalid argument');
  return {
    shares: config.CpuShares,
    ...(config.NanoCpus > 0 && {
      quota: Math.trunc((config.NanoCpus * CPU_PERIOD) / 1e9),
      period: CPU_PERIOD,
    }),
    ...(config.CpuPeriod !== 0 && { period: config.CpuPeriod }),
    ...(config.CpuQuota !== 0 && { quota: config.CpuQuota }),
    ...(config.CpuRealtimePeriod !== 0 && { realtimePeriod: config.CpuRealtimePeriod }),
    ...(config.CpuRealtimeRuntime !== 0 && { realtimeRuntime: config.CpuRealtimeRuntime }),
    ...(config.CpusetCpus !== '' && { cpus: config.CpusetCpus }),
    ...(config.CpusetMems !== '' && { mems: config.CpusetMems }),
  };
}

function deviceNumbers(path: string, devices: BlockDevices): { major: number; minor: number } {
  const found = devices[path];
  if (found === undefined)
    throw new TsengineError('InvalidParameter', `stat ${path}: no such file or directory`);
  return { major: found.major, minor: found.minor };
}

function blockIO(config: HostConfig, devices: BlockDevices): OciResources['blockIO'] {
  const throttle = (limits: HostConfig['BlkioDeviceReadBps']): OciThrottle[] | undefined =>
    limits === null || limits.length === 0
      ? undefined
      : limits.map((limit) => ({ ...deviceNumbers(limit.Path, devices), rate: limit.Rate }));
  const weights = (config.BlkioWeightDevice ?? []).map((limit) => ({
    ...deviceNumbers(limit.Path, devices),
    weight: limit.Weight,
  }));
  const readBps = throttle(config.BlkioDeviceReadBps);
  const writeBps = throttle(config.BlkioDeviceWriteBps);
  const readIops = throttle(config.BlkioDeviceReadIOps);
  const writeIops = throttle(config.BlkioDeviceWriteIOps);
  return {
    weight: config.BlkioWeight,
    ...(weights.length > 0 && { weightDevice: weights }),
    ...(readBps !== undefined && { throttleReadBpsDevice: readBps }),
    ...(writeBps !== undefined && { throttleWriteBpsDevice: writeBps }),
    ...(readIops !== undefined && { throttleReadIOPSDevice: readIops }),
    ...(writeIops !== undefined && { throttleWriteIOPSDevice: writeIops }),
  };
}

/** Everything under `linux.resources`. Throws `InvalidParameter` for a limit on a device that was not found. */
export function cgroupResources(
  config: HostConfig,
  deviceRules: readonly OciDeviceRule[],
  options: { cgroupVersion: 1 | 2; blockDevices: BlockDevices },
): OciResources {
  // To Docker both 0 and any negative number mean no limit; the runtime wants -1 for that.
  const pids = config.PidsLimit;
  return {
    devices: deviceRules,
    memory: memory(config, options.cgroupVersion),
    cpu: cpu(config),
    ...(pids !== null && { pids: { limit: pids <= 0 ? -1 : pids } }),
    blockIO: blockIO(config, options.blockDevices),
  };
}

/** A ulimit's value as the kernel's unsigned number: -1 becomes 2^64-1, which is RLIM_INFINITY (getrlimit(2)). */
function unsigned(value: number): bigint {
  return BigInt.asUintN(64, BigInt(value));
}

/** Ulimits as rlimits: the first list's, then what each list names that none before it did. */
export function resourceLimits(...lists: readonly (readonly Ulimit[] | null)[]): OciRlimit[] {
  const all = new Map<string, Ulimit>();
  for (const limit of lists.flatMap((list) => list ?? []))
    if (!all.has(limit.Name)) all.set(limit.Name, limit);
  return [...all.values()].map((limit) => ({
    type: `RLIMIT_${limit.Name.toUpperCase()}`,
    hard: unsigned(limit.Hard),
    soft: unsigned(limit.Soft),
  }));
}
