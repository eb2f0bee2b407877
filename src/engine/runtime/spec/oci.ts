/**
 * The parts of the OCI runtime configuration (`config.json`) that we write. Names and meanings are those of the OCI
 * runtime specification 1.0.2, config.md and config-linux.md; keys that would be empty are absent, as Docker has it.
 */

/** The process to start (config.md, "Process"). */
export interface OciProcess {
  readonly terminal?: boolean;
  readonly user: OciUser;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities?: OciCapabilities;
  readonly rlimits?: readonly OciRlimit[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly oomScoreAdj?: number;
}

/** Numeric identity of the process. Docker repeats the primary group as the first additional one. */
export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids?: readonly number[];
}

/** Capability sets by name; an absent set is empty. */
export interface OciCapabilities {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly permitted?: readonly string[];
  readonly ambient?: readonly string[];
}

/** One resource limit. Values are unsigned 64-bit; `RLIM_INFINITY` is 2^64-1. */
export interface OciRlimit {
  readonly type: string;
  readonly hard: bigint;
  readonly soft: bigint;
}

/** One mount, in the order in which the runtime makes them. */
export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** A namespace to make, or with `path` to join. */
export interface OciNamespace {
  readonly type: 'mount' | 'network' | 'uts' | 'pid' | 'ipc' | 'user' | 'cgroup';
  readonly path?: string;
}

/** A device node to make in the container. `fileMode` holds permission bits only. */
export interface OciDevice {
  readonly path: string;
  readonly type: 'b' | 'c' | 'p';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** One line of the devices cgroup; absent numbers, and -1, mean all. */
export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

/** A limit on one block device, in bytes or operations a second. */
export interface OciThrottle {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

/** Cgroup settings (config-linux.md, "Control groups"). */
export interface OciResources {
  readonly devices: readonly OciDeviceRule[];
  readonly memory: {
    readonly limit?: number;
    readonly reservation?: number;
    readonly swap?: number;
    readonly kernel?: number;
    readonly kernelTCP?: number;
    readonly swappiness?: number;
    readonly disableOOMKiller?: boolean;
  };
  readonly cpu: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    readonly realtimeRuntime?: number;
    readonly realtimePeriod?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  readonly pids?: { readonly limit: number };
  readonly blockIO: {
    readonly weight?: number;
    readonly weightDevice?: readonly {
      readonly major: number;
      readonly minor: number;
      readonly weight: number;
    }[];
    readonly throttleReadBpsDevice?: readonly OciThrottle[];
    readonly throttleWriteBpsDevice?: readonly OciThrottle[];
    readonly throttleReadIOPSDevice?: readonly OciThrottle[];
    readonly throttleWriteIOPSDevice?: readonly OciThrottle[];
  };
}

/** One condition on a system call's argument. */
export interface OciSeccompArg {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

/** One rule of a seccomp filter. */
export interface OciSyscall {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly OciSeccompArg[];
}

/** A seccomp filter (config-linux.md, "Seccomp"). */
export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly syscalls?: readonly OciSyscall[];
}

/** The Linux part. */
export interface OciLinux {
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly resources: OciResources;
  readonly cgroupsPath: string;
  readonly namespaces: readonly OciNamespace[];
  readonly devices?: readonly OciDevice[];
  readonly seccomp?: OciSeccomp;
  readonly rootfsPropagation?: string;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly mountLabel?: string;
}

/** A whole `config.json`. Write it with `serializeSpec`, because 64-bit limits are `bigint`. */
export interface OciSpec {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: { readonly path: string; readonly readonly?: boolean };
  readonly hostname?: string;
  readonly mounts: readonly OciMount[];
  readonly linux: OciLinux;
}
