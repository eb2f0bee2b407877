import type { SpecDefaults } from './spec/input.ts';

/** What the configuration file and the global flags say about running containers. */
export interface RuntimeSettings {
  /** The runtime for containers that name none: `runc`, `crun`, a name of `runtimes`, or a path. */
  readonly defaultRuntime: string;
  /** `runtimes` of `daemon.json`: programs and their arguments by name. */
  readonly runtimes?: Readonly<Record<string, { readonly path: string; readonly args?: readonly string[] }>>;
  /** `native.cgroupdriver` of `exec-opts`; `undefined` lets the host decide. */
  readonly cgroupDriver?: 'cgroupfs' | 'systemd';
  /** `init-path`; without it docker-init, tini or catatonit is looked for on the PATH. */
  readonly initPath?: string;
  /** `dns`, `dns-opts`, `dns-search`: for containers that set none. */
  readonly dns?: readonly string[];
  readonly dnsOptions?: readonly string[];
  readonly dnsSearch?: readonly string[];
  /** `host-gateway-ip`: what `--add-host NAME:host-gateway` means. */
  readonly hostGatewayIp?: string;
  /** Everything that goes into each container's OCI configuration. */
  readonly spec: Omit<SpecDefaults, 'dataRoot' | 'initPath'>;
}

/** The settings where nobody set anything. */
export const DEFAULT_RUNTIME_SETTINGS: RuntimeSettings = {
  defaultRuntime: 'runc',
  spec: {
    cgroupParent: '/tsengine',
    scopePrefix: 'tsengine',
    appArmorProfile: 'docker-default',
    init: false,
    noNewPrivileges: false,
  },
};
