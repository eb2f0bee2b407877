/**
 * What `buildSpec` needs to know. Everything about the host comes in as data, so that the result depends on nothing
 * else; `readHostFacts` and its neighbours collect that data on a real machine.
 */
import type { ContainerConfig } from '../../api/container-config.ts';
import type { HostConfig, Ulimit } from '../../api/host-config.ts';
import type { MountPoint } from '../../api/mount-point.ts';
import type { OciDevice } from './oci.ts';
import type { ResolvedUser } from './user.ts';

/** Kernel facts that shape a container. */
export interface HostFacts {
  /** 2 only where cgroup v2 is the whole hierarchy; hybrid hosts count as 1. */
  readonly cgroupVersion: 1 | 2;
  /** Who makes cgroups: the runtime in the file system, or systemd on its request. */
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  /** The machine's architecture as Docker's seccomp profiles name it: `amd64`, `arm64`… */
  readonly arch: string;
  /** The first two numbers of `uname -r`. */
  readonly kernel: { readonly major: number; readonly minor: number };
  /** Names of the capabilities in this process's bounding set: what it can hand on. */
  readonly capabilities: ReadonlySet<string>;
  /** Whether the kernel filters system calls. */
  readonly seccomp: boolean;
  /** Whether AppArmor is on; `appArmorProfile` of the defaults is then put on containers. */
  readonly apparmor: boolean;
  /** Which of the sysctls that are set by default the kernel has, such as `net.ipv4.ping_group_range`. */
  readonly sysctls: ReadonlySet<string>;
  /** Whether this process itself is in a user namespace other than the first. */
  readonly inUserNamespace: boolean;
  /** Limits of a container's processes that nothing else sets; empty where this process may not raise its own. */
  readonly limits: readonly Ulimit[];
}

/** The engine's own settings, from flags and the configuration file. */
export interface SpecDefaults {
  /** `/tsengine` or `tsengine.slice`; `--cgroup-parent` wins. */
  readonly cgroupParent: string;
  /** Prefix of systemd scopes: `tsengine` makes `tsengine-ID.scope`. */
  readonly scopePrefix: string;
  /** The AppArmor profile where the user named none. It must be loaded by then. */
  readonly appArmorProfile: string;
  /** Whether containers get an init when `--init` was not given either way. */
  readonly init: boolean;
  /** The host's path of the init program (tini or catatonit); needed only for containers with an init. */
  readonly initPath?: string;
  readonly noNewPrivileges: boolean;
  /** The text of a seccomp profile, or `unconfined`, instead of the built-in default. */
  readonly seccompProfile?: string;
  /** `default-ulimits` of the configuration file. */
  readonly ulimits?: HostConfig['Ulimits'];
  /** The data root: binds of it get the propagation that lets its mounts be removed. */
  readonly dataRoot: string;
}

/** One `--device` with what was found on the host: the node itself, or all nodes below a directory. */
export interface ResolvedDevice {
  /** With `path` already that in the container. */
  readonly nodes: readonly OciDevice[];
  /** Some of `rwm`. */
  readonly permissions: string;
  /** Path on the host and in the container, as the user gave them. */
  readonly pathOnHost: string;
  readonly pathInContainer: string;
}

/** The mount that a bind's source lies on, as far as propagation goes. */
export interface SourceMount {
  readonly mountPoint: string;
  /** The optional fields of its mountinfo line, such as `shared:1` and `master:2`. */
  readonly propagation: readonly string[];
}

/** Everything that decides a container's `config.json`. */
export interface SpecInput {
  readonly id: string;
  /** The first word of the command and the others, entrypoint and command already joined (see `commandOf`). */
  readonly path: string;
  readonly args: readonly string[];
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** The mounted root file system. */
  readonly rootfs: string;
  readonly user: ResolvedUser;
  /** The value of `MountPoints` in `config.v2.json`; volumes need their `Source` filled in. */
  readonly mountPoints: Readonly<Record<string, MountPoint>>;
  /** Files of the container's folder that are bound over the image's; an absent one is left out. */
  readonly networkFiles: {
    readonly resolvConf?: string;
    readonly hostname?: string;
    readonly hosts?: string;
  };
  /** For `--ipc` shareable, host and container: the directory bound to `/dev/shm`. */
  readonly shmPath?: string;
  /** Namespaces to join: the host's or another container's network, another container's ipc and pid. */
  readonly joinNamespaces?: { readonly network?: string; readonly ipc?: string; readonly pid?: string };
  /** One for each of `hostConfig.Devices`. */
  readonly devices?: readonly ResolvedDevice[];
  /** All device nodes of the host, for privileged containers. */
  readonly hostDevices?: readonly OciDevice[];
  /** Device numbers by path, for `--device-read-bps` and its kin. */
  readonly blockDevices?: Readonly<Record<string, { readonly major: number; readonly minor: number }>>;
  /** By source path, for binds with shared or slave propagation. */
  readonly sourceMounts?: Readonly<Record<string, SourceMount>>;
  /** Variables of `--link`. */
  readonly linkedEnv?: readonly string[];
  readonly host: HostFacts;
  readonly defaults: SpecDefaults;
}

/** A spec and what the user should be told about it. */
export interface BuiltSpec<Spec> {
  readonly spec: Spec;
  /** One line each, for stderr. */
  readonly warnings: readonly string[];
}
