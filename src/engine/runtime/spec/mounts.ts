/** The mounts of a container: the kernel's file systems, then files and folders of the host, tmpfs and the network's files. */
import { posix } from 'node:path';
import type { HostConfig } from '../../api/host-config.ts';
import type { MountPoint } from '../../api/mount-point.ts';
import { containerOfMode } from './namespaces.ts';
import type { OciMount } from './oci.ts';
import { type PropagationFacts, rootPropagation } from './propagation.ts';
import { tmpfsData, tmpfsOptions } from './tmpfs.ts';

/** Where `--init` puts the init program. */
export const INIT_PATH = '/sbin/docker-init';

/** Destination, type, source and options of the mounts that every Linux container has, in Docker's order. */
const DEFAULTS: readonly (readonly [destination: string, type: string, source: string, options: string])[] = [
  ['/proc', 'proc', 'proc', 'nosuid,noexec,nodev'],
  ['/dev', 'tmpfs', 'tmpfs', 'nosuid,strictatime,mode=755,size=65536k'],
  ['/dev/pts', 'devpts', 'devpts', 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5'],
  ['/sys', 'sysfs', 'sysfs', 'nosuid,noexec,nodev,ro'],
  ['/sys/fs/cgroup', 'cgroup', 'cgroup', 'ro,nosuid,noexec,nodev'],
  ['/dev/mqueue', 'mqueue', 'mqueue', 'nosuid,noexec,nodev'],
  ['/dev/shm', 'tmpfs', 'shm', 'nosuid,noexec,nodev,mode=1777'],
];

/** Default mounts that stay writable in a container with a read-only root. */
const WRITABLE_UNDER_READONLY = new Set(['/proc', '/dev/pts', '/dev/shm', '/dev/mqueue', '/dev']);

/** What the mounts are made from. */
export interface MountSettings extends PropagationFacts {
  readonly hostConfig: HostConfig;
  readonly mountPoints: Readonly<Record<string, MountPoint>>;
  readonly networkFiles: {
    readonly resolvConf?: string;
    readonly hostname?: string;
    readonly hosts?: string;
  };
  readonly shmPath: string | undefined;
  /** The host's path of the init program, for a container that gets one. */
  readonly initPath: string | undefined;
}

function bind(
  source: string,
  destination: string,
  options: { writable: boolean; propagation: string; flat?: boolean },
) {
  return {
    destination,
    type: 'bind',
    source,
    options: [
      options.flat === true ? 'bind' : 'rbind',
      ...(options.writable ? [] : ['ro']),
      ...(options.propagation === '' ? [] : [options.propagation]),
    ],
  };
}

function tmpfs(destination: string, data: string): OciMount {
  return { destination, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(data) };
}

function ofMountPoint(point: MountPoint): OciMount {
  if (point.Type === 'tmpfs') return tmpfs(point.Destination, tmpfsData(point.Spec));
  return bind(point.Source, point.Destination, {
    writable: point.RW,
    propagation: point.Propagation ?? '',
    flat: point.Type === 'bind' && point.Spec.BindOptions?.NonRecursive === true,
  });
}

/** `/etc/resolv.conf`, `/etc/hostname` and `/etc/hosts`; a bind that the user put there is the file's source. */
function networkMounts(settings: MountSettings): OciMount[] {
  const { resolvConf, hostname, hosts } = settings.networkFiles;
  const files: readonly (readonly [string, string | undefined])[] = [
    ['/etc/resolv.conf', resolvConf],
    ['/etc/hostname', hostname],
    ['/etc/hosts', hosts],
  ];
  return files.flatMap(([destination, own]) => {
    const point = settings.mountPoints[destination];
    const source = point !== undefined && point.Source !== '' ? point.Source : own;
    const writable = point?.RW ?? !settings.hostConfig.ReadonlyRootfs;
    return source === undefined ? [] : [bind(source, destination, { writable, propagation: 'rprivate' })];
  });
}

/** `/dev/shm` for the IPC modes that share it; a private one is a tmpfs of the default mounts. */
function shmMount(settings: MountSettings): OciMount[] {
  const mode = settings.hostConfig.IpcMode;
  const shares = mode === 'shareable' || mode === 'host' || containerOfMode(mode) !== undefined;
  const taken = '/dev/shm' in settings.mountPoints || '/dev/shm' in (settings.hostConfig.Tmpfs ?? {});
  if (!shares || taken || settings.shmPath === undefined) return [];
  return [bind(settings.shmPath, '/dev/shm', { writable: true, propagation: 'rprivate' })];
}

const depth = (path: string): number => posix.normalize(path).split('/').length;

/** What is mounted on top of the defaults, outer directories first. Within one depth the order is ours: Docker has none. */
function ownMounts(settings: MountSettings): OciMount[] {
  const files = new Set(['/etc/resolv.conf', '/etc/hostname', '/etc/hosts']);
  const asTmpfs = settings.hostConfig.Tmpfs ?? {};
  const points = Object.values(settings.mountPoints)
    .filter((point) => !(point.Destination in asTmpfs))
    .filter((point) => point.Type === 'tmpfs' || !files.has(point.Destination))
    .sort((a, b) => (a.Destination < b.Destination ? -1 : 1));
  const all = [
    ...points.map(ofMountPoint),
    ...networkMounts(settings),
    ...shmMount(settings),
    ...Object.entries(asTmpfs).map(([destination, data]) => tmpfs(destination, data)),
  ];
  return all.sort((a, b) => depth(a.destination) - depth(b.destination));
}

/** The default mounts, less those that `taken` replaces or hides. */
function defaultMounts(
  hostConfig: HostConfig,
  initPath: string | undefined,
  taken: ReadonlySet<string>,
): OciMount[] {
  const mounts = DEFAULTS.filter(([destination]) => {
    if (taken.has(destination) || (taken.has('/dev') && destination.startsWith('/dev/'))) return false;
    return destination !== '/dev/shm' || hostConfig.IpcMode !== 'none';
  }).map(([destination, type, source, options]) => {
    const size = destination === '/dev/shm' ? [`size=${hostConfig.ShmSize}`] : [];
    return { destination, type, source, options: [...options.split(','), ...size] };
  });
  if (initPath === undefined || taken.has(INIT_PATH)) return mounts;
  return [...mounts, { destination: INIT_PATH, type: 'bind', source: initPath, options: ['bind', 'ro'] }];
}

function withoutReadOnly(mount: OciMount): OciMount {
  return { ...mount, options: mount.options.filter((option) => option !== 'ro') };
}

function withReadOnly(mount: OciMount): OciMount {
  return mount.options.includes('ro') ? mount : { ...mount, options: [...mount.options, 'ro'] };
}

/**
 * All mounts in the order in which they are to be made, and the propagation that the root mount needs for them.
 * Throws `InvalidParameter` for tmpfs options that do not exist and propagation that the source cannot have.
 */
export function containerMounts(settings: MountSettings): {
  mounts: OciMount[];
  rootfsPropagation: string | undefined;
} {
  const { hostConfig } = settings;
  let rootfsPropagation: string | undefined;
  for (const point of Object.values(settings.mountPoints)) {
    if (point.Type !== 'tmpfs') rootfsPropagation = rootPropagation(rootfsPropagation, point, settings);
  }
  const own = ownMounts(settings);
  let defaults = defaultMounts(hostConfig, settings.initPath, new Set(own.map((mount) => mount.destination)));
  if (hostConfig.ReadonlyRootfs) {
    defaults = defaults.map((one) =>
      WRITABLE_UNDER_READONLY.has(one.destination) ? one : withReadOnly(one),
    );
  }
  if (hostConfig.Privileged) {
    defaults = defaults.map((one) =>
      one.destination === '/sys' || one.type === 'cgroup' ? withoutReadOnly(one) : one,
    );
  }
  return { mounts: [...defaults, ...own], rootfsPropagation };
}
