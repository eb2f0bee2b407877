/** `docker info`: what this machine and this data root are, under Docker's keys. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus, hostname, release, totalmem } from 'node:os';
import type { GraphDriver } from '../drivers/driver.ts';
import { buildInfo } from '../version.ts';
import type { ContainerSummary, SystemInfo } from './api/services.ts';
import type { EngineConfig } from './config.ts';
import type { DataRoot } from './root.ts';
import { findProgram, INIT_PROGRAMS } from './runtime/programs.ts';
import { formatTimestamp, now } from './text/timestamp.ts';

/** What `systemInfo` looks at. */
export interface InfoSources {
  readonly root: DataRoot;
  readonly config: EngineConfig;
  readonly driver: GraphDriver;
  /** How many images there are, untagged ones too. */
  readonly images: number;
  readonly containers: readonly ContainerSummary[];
}

/** The value of a key of `/etc/os-release`. Source: os-release(5). */
function osRelease(key: string): string {
  for (const file of ['/etc/os-release', '/usr/lib/os-release']) {
    if (!existsSync(file)) continue;
    const line = readFileSync(file, 'utf8')
      .split('\n')
      .find((one) => one.startsWith(`${key}=`));
    return (
      line
        ?.slice(key.length + 1)
        .trim()
        .replace(/^(["'])(.*)\1$/, '$2') ?? ''
    );
  }
  return '';
}

const MACHINES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

interface Cgroups {
  readonly version: '1' | '2';
  /** Whether a controller's file, relative to where it is in version 1, is there. */
  has(controller: string, file: string): boolean;
}

/** Source: cgroups(7). Version 2 alone has `cgroup.controllers` at its root. */
function cgroups(): Cgroups {
  const root = '/sys/fs/cgroup';
  if (existsSync(`${root}/cgroup.controllers`)) {
    const controllers = readFileSync(`${root}/cgroup.controllers`, 'utf8').split(/\s+/);
    return { version: '2', has: (controller) => controllers.includes(controller.replace(/,.*/, '')) };
  }
  const mounted = existsSync(root) ? readdirSync(root) : [];
  return {
    version: '1',
    has: (controller, file) =>
      mounted.some((name) => name.split(',').includes(controller) && existsSync(`${root}/${name}/${file}`)),
  };
}

function limits(): Record<string, unknown> {
  const groups = cgroups();
  const isTwo = groups.version === '2';
  return {
    MemoryLimit: groups.has('memory', 'memory.limit_in_bytes'),
    SwapLimit: isTwo ? groups.has('memory', '') : groups.has('memory', 'memory.memsw.limit_in_bytes'),
    KernelMemory: !isTwo && groups.has('memory', 'memory.kmem.limit_in_bytes'),
    KernelMemoryTCP: !isTwo && groups.has('memory', 'memory.kmem.tcp.limit_in_bytes'),
    CpuCfsPeriod: groups.has('cpu', 'cpu.cfs_period_us'),
    CpuCfsQuota: groups.has('cpu', 'cpu.cfs_quota_us'),
    CPUShares: groups.has('cpu', 'cpu.shares'),
    CPUSet: groups.has('cpuset', 'cpuset.cpus'),
    PidsLimit: groups.has('pids', ''),
    OomKillDisable: !isTwo && groups.has('memory', 'memory.oom_control'),
    CgroupVersion: groups.version,
  };
}

/** Whether a sysctl says 1. */
function isOn(name: string): boolean {
  const file = `/proc/sys/${name}`;
  return existsSync(file) && readFileSync(file, 'latin1').trim() === '1';
}

function securityOptions(cgroupVersion: unknown): string[] {
  const seccomp = readFileSync('/proc/self/status', 'latin1').includes('Seccomp:');
  const appArmor = existsSync('/sys/kernel/security/apparmor/profiles');
  return [
    ...(appArmor ? ['name=apparmor'] : []),
    ...(seccomp ? ['name=seccomp,profile=default'] : []),
    ...(cgroupVersion === '2' ? ['name=cgroupns'] : []),
  ];
}

function cgroupDriver(config: EngineConfig, version: unknown): string {
  return (
    config.runtime.cgroupDriver ??
    (version === '2' && existsSync('/run/systemd/system') ? 'systemd' : 'cgroupfs')
  );
}

function count(containers: readonly ContainerSummary[], ...states: readonly string[]): number {
  return containers.filter(({ State }) => states.includes(State)).length;
}

/** All of Docker's keys that mean something here, in its order. Starts no program and asks the driver once. */
export async function systemInfo({
  root,
  config,
  driver,
  images,
  containers,
}: InfoSources): Promise<SystemInfo> {
  const running = count(containers, 'running', 'restarting');
  const paused = count(containers, 'paused');
  const { CgroupVersion, ...controllers } = limits();
  return {
    ID: '',
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: containers.length - running - paused,
    Images: images,
    Driver: driver.name,
    DriverStatus: (await driver.status()).map(([label, value]) => [label, value] as const),
    Plugins: {
      Volume: ['local'],
      Network: ['host', 'null'],
      Authorization: null,
      Log: ['json-file', 'local', 'none'],
    },
    ...controllers,
    IPv4Forwarding: isOn('net/ipv4/ip_forward'),
    BridgeNfIptables: isOn('net/bridge/bridge-nf-call-iptables'),
    BridgeNfIp6tables: isOn('net/bridge/bridge-nf-call-ip6tables'),
    Debug: config.logLevel === 'debug',
    SystemTime: formatTimestamp(now()),
    LoggingDriver: 'json-file',
    CgroupDriver: cgroupDriver(config, CgroupVersion),
    CgroupVersion,
    KernelVersion: release(),
    OperatingSystem: osRelease('PRETTY_NAME'),
    OSVersion: osRelease('VERSION_ID'),
    OSType: 'linux',
    Architecture: MACHINES[process.arch] ?? process.arch,
    NCPU: cpus().length,
    MemTotal: totalmem(),
    DockerRootDir: root.path,
    ExecRootDir: root.execRoot,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: buildInfo().version,
    Runtimes: runtimes(config),
    DefaultRuntime: config.runtime.defaultRuntime,
    LiveRestoreEnabled: false,
    Isolation: '',
    InitBinary: config.runtime.initPath ?? findProgram(...INIT_PROGRAMS) ?? '',
    SecurityOptions: securityOptions(CgroupVersion),
    Warnings: null,
  };
}

function runtimes(config: EngineConfig): Record<string, { readonly path: string }> {
  const configured = Object.entries(config.runtime.runtimes ?? {}).map(([name, { path }]) => [
    name,
    { path },
  ]);
  const known = ['crun', 'runc'].filter((name) => findProgram(name) !== undefined);
  return { ...Object.fromEntries(known.map((path) => [path, { path }])), ...Object.fromEntries(configured) };
}
