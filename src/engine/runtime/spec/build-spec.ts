/**
 * The OCI runtime configuration of a container, with Docker 20.10's defaults. Every part has a file of its own; this
 * one puts them together in Docker's order.
 */
import { posix } from 'node:path';
import { TsengineError } from '../../../errors.ts';
import { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS } from '../../api/host-defaults.ts';
import { clampCapabilities, requestedCapabilities } from './capabilities.ts';
import { containerDevices } from './devices.ts';
import { processEnvironment, workingDirectory } from './environment.ts';
import type { BuiltSpec, SpecInput } from './input.ts';
import { containerMounts, INIT_PATH } from './mounts.ts';
import { containerNamespaces, hasOwnNetwork, hasOwnPids } from './namespaces.ts';
import type { OciCapabilities, OciLinux, OciProcess, OciSeccomp, OciSpec } from './oci.ts';
import { cgroupResources, resourceLimits } from './resources.ts';
import { defaultSeccomp } from './seccomp.ts';
import { loadSeccompProfile } from './seccomp-profile.ts';
import { parseSecurityOptions, type SecurityOptions } from './security-options.ts';

/** What runc 1.1 and Docker 20.10.24 write; crun takes any 1.0.x. */
const OCI_VERSION = '1.0.2-dev';

/** The cgroup of a container in the form that its driver wants: a path, or `SLICE:PREFIX:NAME` for systemd. */
export function cgroupsPath(input: Pick<SpecInput, 'id' | 'hostConfig' | 'host' | 'defaults'>): string {
  const own = input.hostConfig.CgroupParent;
  const parent = own === '' ? input.defaults.cgroupParent : own;
  if (input.host.cgroupDriver === 'systemd') return `${parent}:${input.defaults.scopePrefix}:${input.id}`;
  // A relative path would lead below conmon's own cgroup.
  return posix.join('/', parent, input.id);
}

/** The host's path of the init program if this container gets one. */
function initProgram(input: SpecInput): string | undefined {
  if (!(input.hostConfig.Init ?? input.defaults.init) || !hasOwnPids(input.hostConfig)) return undefined;
  if (input.defaults.initPath !== undefined) return input.defaults.initPath;
  throw new TsengineError(
    'Unavailable',
    'exec: "docker-init": executable file not found in $PATH: install tini, or catatonit',
  );
}

/** Capability sets of the first process. Like execve(2), only root gets effective and permitted ones. */
function capabilitySets(granted: readonly string[], uid: number): OciCapabilities {
  if (granted.length === 0) return {};
  return uid === 0 ? { bounding: granted, effective: granted, permitted: granted } : { bounding: granted };
}

function seccompFilter(
  input: SpecInput,
  security: SecurityOptions,
  capabilities: readonly string[],
  warnings: string[],
): OciSeccomp | undefined {
  if (security.seccomp === 'unconfined' || input.hostConfig.Privileged) return undefined;
  if (!input.host.seccomp) {
    if (security.seccomp !== '') {
      throw new TsengineError(
        'Unavailable',
        'seccomp is not enabled in your kernel, cannot run a custom seccomp profile',
      );
    }
    warnings.push('seccomp is not enabled in your kernel, running container without default profile');
    return undefined;
  }
  const { arch, kernel } = input.host;
  const context = { arch, kernel, capabilities };
  const profile = security.seccomp === '' ? (input.defaults.seccompProfile ?? '') : security.seccomp;
  if (profile === 'unconfined') return undefined;
  return profile === '' ? defaultSeccomp(context) : loadSeccompProfile(profile, context);
}

function appArmorProfile(input: SpecInput, security: SecurityOptions): string | undefined {
  if (!input.host.apparmor) return undefined;
  if (security.apparmor !== '') return security.apparmor;
  return input.hostConfig.Privileged ? 'unconfined' : input.defaults.appArmorProfile;
}

const DISABLE_IPV6 = 'net.ipv6.conf.all.disable_ipv6';

/** Sysctls: the domain name, those that make ping and low ports work without capabilities, and the user's. */
function sysctls(input: SpecInput): Record<string, string> {
  const result: Record<string, string> = {};
  const { Domainname } = input.config;
  if (Domainname !== '') result['kernel.domainname'] = Domainname;
  if (hasOwnNetwork(input.hostConfig)) {
    const { sysctls: known, inUserNamespace } = input.host;
    const ping = 'net.ipv4.ping_group_range';
    const ports = 'net.ipv4.ip_unprivileged_port_start';
    if (known.has(ping) && !inUserNamespace) result[ping] = '0 2147483647';
    if (known.has(ports)) result[ports] = '0';
    // Where no network gives an address of IPv6 Docker turns it off, `::1` too.
    const alone = input.joinNamespaces?.network === undefined;
    if (alone && known.has(DISABLE_IPV6)) result[DISABLE_IPV6] = '1';
  }
  return { ...result, ...input.hostConfig.Sysctls };
}

/** A list of paths as set; where nothing was set, the defaults, of which privileged containers have none. */
function pathList(own: string[] | null, defaults: readonly string[], privileged: boolean): readonly string[] {
  return own ?? (privileged ? [] : defaults);
}

function processOf(
  input: SpecInput,
  security: SecurityOptions,
  capabilities: readonly string[],
  withInit: boolean,
): OciProcess {
  const { config, hostConfig, user, defaults } = input;
  const command = [input.path, ...input.args];
  const rlimits = resourceLimits(hostConfig.Ulimits, defaults.ulimits ?? null, input.host.limits);
  const apparmorProfile = appArmorProfile(input, security);
  return {
    ...(config.Tty && { terminal: true }),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: withInit ? [INIT_PATH, '--', ...command] : command,
    env: processEnvironment(config, input.linkedEnv),
    cwd: workingDirectory(config),
    capabilities: capabilitySets(capabilities, user.uid),
    ...(rlimits.length > 0 && { rlimits }),
    ...(security.noNewPrivileges && { noNewPrivileges: true }),
    ...(apparmorProfile !== undefined && { apparmorProfile }),
    oomScoreAdj: hostConfig.OomScoreAdj,
  };
}

/** What the kernel isolates and limits, but for mounts. */
function linuxOf(
  input: SpecInput,
  seccomp: OciSeccomp | undefined,
  rootfsPropagation: string | undefined,
  warnings: string[],
): OciLinux {
  const { hostConfig, host } = input;
  const devices = containerDevices({
    privileged: hostConfig.Privileged && !host.inUserNamespace,
    devices: input.devices ?? [],
    rules: hostConfig.DeviceCgroupRules ?? [],
    hostDevices: input.hostDevices ?? [],
  });
  warnings.push(...devices.warnings);
  const sysctl = sysctls(input);
  const masked = pathList(hostConfig.MaskedPaths, DEFAULT_MASKED_PATHS, hostConfig.Privileged);
  const readonly = pathList(hostConfig.ReadonlyPaths, DEFAULT_READONLY_PATHS, hostConfig.Privileged);
  return {
    ...(Object.keys(sysctl).length > 0 && { sysctl }),
    resources: cgroupResources(hostConfig, devices.rules, {
      cgroupVersion: host.cgroupVersion,
      blockDevices: input.blockDevices ?? {},
    }),
    cgroupsPath: cgroupsPath(input),
    namespaces: containerNamespaces(hostConfig, input.joinNamespaces),
    ...(devices.nodes.length > 0 && { devices: devices.nodes }),
    ...(seccomp !== undefined && { seccomp }),
    ...(rootfsPropagation !== undefined && { rootfsPropagation }),
    ...(masked.length > 0 && { maskedPaths: masked }),
    ...(readonly.length > 0 && { readonlyPaths: readonly }),
  };
}

/**
 * Makes a container's `config.json` for runc 1.1 or crun: the one that Docker 20.10.24 generates from the same
 * settings, less its network hook, and with capabilities that this host cannot give left out (a warning names them).
 * Pure: reads no file and asks the kernel nothing. Throws `InvalidParameter` in Docker's words for settings that
 * Docker refuses at start, `Unavailable` where the host lacks something that was asked for.
 */
export function buildSpec(input: SpecInput): BuiltSpec<OciSpec> {
  const { config, hostConfig } = input;
  const warnings: string[] = [];
  const security = parseSecurityOptions(hostConfig.SecurityOpt, input.defaults.noNewPrivileges);
  const { granted, refused } = clampCapabilities(requestedCapabilities(hostConfig), input.host.capabilities);
  if (refused.length > 0) {
    warnings.push(`this host cannot give the container ${refused.join(', ')}: not in its own bounding set`);
  }
  const initPath = initProgram(input);
  const { mounts, rootfsPropagation } = containerMounts({
    hostConfig,
    mountPoints: input.mountPoints,
    networkFiles: input.networkFiles,
    shmPath: input.shmPath,
    initPath,
    sourceMounts: input.sourceMounts ?? {},
    dataRoot: input.defaults.dataRoot,
  });
  const seccomp = seccompFilter(input, security, granted, warnings);
  const spec: OciSpec = {
    ociVersion: OCI_VERSION,
    process: processOf(input, security, granted, initPath !== undefined),
    root: { path: input.rootfs, ...(hostConfig.ReadonlyRootfs && { readonly: true }) },
    ...(hostConfig.UTSMode !== 'host' && config.Hostname !== '' && { hostname: config.Hostname }),
    mounts,
    linux: linuxOf(input, seccomp, rootfsPropagation, warnings),
  };
  return { spec, warnings };
}
