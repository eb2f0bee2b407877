/** Collects what `buildSpec` needs to know about this machine. Everything here only reads. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { release } from 'node:os';
import { hasErrno } from '../../../errors.ts';
import { findMountOf, readMountInfo } from '../../../linux/mountinfo.ts';
import { inUserNamespace } from '../../../linux/namespaces.ts';
import type { Ulimit } from '../../api/host-config.ts';
import type { MountPoint } from '../../api/mount-point.ts';
import { parseBoundingSet } from './capabilities.ts';
import type { HostFacts, SourceMount } from './input.ts';

/** Node's names of architectures as Docker's seccomp profiles have them, where they differ. */
const DOCKER_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: 'x86', ppc64: 'ppc64le' };

/** Sysctls that containers get by default if the kernel has them. */
const DEFAULT_SYSCTLS = [
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv6.conf.all.disable_ipv6',
];

/** `LimitNOFILE=` of Docker's unit; `fs.nr_open`, which bounds it, is the same number unless an administrator says otherwise. */
const OPEN_FILES = 1_048_576;

function readIfAny(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}

/** The first two numbers of a kernel release such as `6.1.0-18-amd64`. */
export function parseKernelRelease(text: string): { major: number; minor: number } {
  const [, major = '0', minor = '0'] = /^([0-9]+)\.([0-9]+)/.exec(text) ?? [];
  return { major: Number(major), minor: Number(minor) };
}

/**
 * What containers get of Docker's service, whoever starts them: no limit but on open files (`docker.service` and
 * `containerd.service` of Debian's docker.io). Without it they would have what the caller's shell has.
 */
function serviceLimits(): Ulimit[] {
  const most = Number(readIfAny('/proc/sys/fs/nr_open') ?? OPEN_FILES);
  const files = Math.min(OPEN_FILES, most);
  return [
    { Name: 'nofile', Hard: files, Soft: files },
    { Name: 'nproc', Hard: -1, Soft: -1 },
    { Name: 'core', Hard: -1, Soft: -1 },
  ];
}

/**
 * This machine's facts. systemd makes the cgroups where it runs and all controllers are v2, as in Docker;
 * `cgroupDriver` overrides that.
 */
export function readHostFacts(options: { cgroupDriver?: 'cgroupfs' | 'systemd' } = {}): HostFacts {
  const status = readFileSync('/proc/self/status', 'utf8');
  // Only the root of a cgroup v2 hierarchy has this file; hybrid hosts have a tmpfs there.
  const cgroupVersion = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;
  const systemd = cgroupVersion === 2 && existsSync('/run/systemd/system');
  const capabilities = parseBoundingSet(status);
  const isInside = inUserNamespace();
  return {
    cgroupVersion,
    cgroupDriver: options.cgroupDriver ?? (systemd ? 'systemd' : 'cgroupfs'),
    arch: DOCKER_ARCH[process.arch] ?? process.arch,
    kernel: parseKernelRelease(release()),
    capabilities,
    seccomp: /^Seccomp:/m.test(status),
    apparmor: readIfAny('/sys/module/apparmor/parameters/enabled')?.startsWith('Y') === true,
    sysctls: new Set(DEFAULT_SYSCTLS.filter((name) => existsSync(`/proc/sys/${name.replaceAll('.', '/')}`))),
    inUserNamespace: isInside,
    // A limit is raised by whoever may do so in the first user namespace.
    limits: capabilities.has('CAP_SYS_RESOURCE') && !isInside ? serviceLimits() : [],
  };
}

/** The mount that holds each shared or slave bind's source, by source; an empty object if no bind is either. */
export function readSourceMounts(points: Readonly<Record<string, MountPoint>>): Record<string, SourceMount> {
  const sources = Object.values(points)
    .filter((point) => /shared$|slave$/.test(point.Propagation ?? ''))
    .map((point) => point.Source);
  if (sources.length === 0) return {};
  const mounts = readMountInfo();
  const found = sources.map((source) => [source, findMountOf(realpathSync(source), mounts)] as const);
  return Object.fromEntries(
    found.flatMap(([source, mount]) =>
      mount === undefined
        ? []
        : [[source, { mountPoint: mount.mountPoint.toString(), propagation: mount.propagation }]],
    ),
  );
}
