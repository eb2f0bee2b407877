/** A container to build specs of in tests: `docker run busybox sleep 100`, on a host that can give everything. */
import {
  type ContainerConfig,
  containerConfigSchema,
  defaultConfig,
} from '../../../../src/engine/api/container-config.ts';
import { defaultHostConfig, type HostConfig } from '../../../../src/engine/api/host-config.ts';
import { buildSpec } from '../../../../src/engine/runtime/spec/build-spec.ts';
import { allCapabilities } from '../../../../src/engine/runtime/spec/capabilities.ts';
import type { HostFacts, SpecDefaults, SpecInput } from '../../../../src/engine/runtime/spec/input.ts';
import type { OciSpec } from '../../../../src/engine/runtime/spec/oci.ts';

/** The ID of the sample container. */
export const ID = 'c0ffee'.padEnd(64, '0');

/** A cgroup v1 host without AppArmor, as the machine was on which the expectations were written down. */
export const HOST: HostFacts = {
  cgroupVersion: 1,
  cgroupDriver: 'cgroupfs',
  arch: 'amd64',
  kernel: { major: 6, minor: 1 },
  capabilities: new Set(allCapabilities()),
  seccomp: true,
  apparmor: false,
  sysctls: new Set(['net.ipv4.ping_group_range', 'net.ipv4.ip_unprivileged_port_start']),
  inUserNamespace: false,
  limits: [],
};

/** The engine's settings in tests. */
export const DEFAULTS: SpecDefaults = {
  cgroupParent: '/tsengine',
  scopePrefix: 'tsengine',
  appArmorProfile: 'docker-default',
  init: false,
  initPath: '/usr/bin/tini',
  noNewPrivileges: false,
  dataRoot: '/data',
};

/** What a test changes of the sample. */
export interface Changes {
  readonly config?: Partial<ContainerConfig>;
  readonly hostConfig?: Partial<HostConfig>;
  readonly host?: Partial<HostFacts>;
  readonly defaults?: Partial<SpecDefaults>;
  readonly input?: Partial<SpecInput>;
}

/** The sample with changes. */
export function sampleInput(changes: Changes = {}): SpecInput {
  return {
    id: ID,
    path: 'sleep',
    args: ['100'],
    config: {
      ...containerConfigSchema.parse({ ...defaultConfig(), Hostname: 'c0ffee000000' }),
      ...changes.config,
    },
    hostConfig: { ...defaultHostConfig(1), ...changes.hostConfig },
    rootfs: '/data/overlay2/x/merged',
    user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
    mountPoints: {},
    networkFiles: { resolvConf: '/c/resolv.conf', hostname: '/c/hostname', hosts: '/c/hosts' },
    host: { ...HOST, ...changes.host },
    defaults: { ...DEFAULTS, ...changes.defaults },
    ...changes.input,
  };
}

/** The sample's spec, with changes; throws if there are warnings. */
export function sampleSpec(changes: Changes = {}): OciSpec {
  const { spec, warnings } = buildSpec(sampleInput(changes));
  if (warnings.length > 0) throw new Error(warnings.join('; '));
  return spec;
}
