/**
 * The configuration file, `/etc/tsengine/daemon.json`: Docker's keys, and `sync-layers`. Flags win over it. A key of
 * Docker's that means nothing here is accepted with a warning, an unknown one is an error that names it.
 */
import { existsSync } from 'node:fs';
import * as z from 'zod/mini';
import { parseStorageOption } from '../drivers/storage-options.ts';
import { TsengineError } from '../errors.ts';
import { readText, readTextIfAny } from '../linux/files.ts';
import { once } from '../once.ts';
import { schemaMessage } from '../schema-message.ts';
import type { EngineOptions } from './api/services.ts';
import { parseJsonText } from './json.ts';
import { DEFAULT_RUNTIME_SETTINGS, type RuntimeSettings } from './runtime/settings.ts';
import { isSlice, NO_SLICE } from './runtime/spec/slice.ts';

/** Where the configuration is when no other file is named. It need not exist. */
export const DEFAULT_CONFIG_FILE = '/etc/tsengine/daemon.json';

/** Everything the flags and the configuration file say, put together. */
export interface EngineConfig {
  readonly dataRoot: string | undefined;
  readonly execRoot: string | undefined;
  /** Whether the data root is only looked at. No key of the file's: it belongs to one command. */
  readonly readOnlyRoot: boolean;
  readonly storageDriver: string | undefined;
  /** The driver's options, key and value, in order. */
  readonly storageOptions: readonly (readonly [key: string, value: string])[];
  /** Whether a layer's data is on disk before the layer is registered. */
  readonly syncLayers: boolean;
  readonly logLevel: string;
  readonly runtime: RuntimeSettings;
}

const text = z.string();
const list = z.array(text);

const fileSchema = once(() =>
  z.strictObject({
    'data-root': z.optional(text),
    graph: z.optional(text),
    'exec-root': z.optional(text),
    'storage-driver': z.optional(text),
    'storage-opts': z.optional(list),
    'sync-layers': z.optional(z.boolean()),
    'log-level': z.optional(z.enum(['debug', 'info', 'warn', 'error', 'fatal'])),
    debug: z.optional(z.boolean()),
    runtimes: z.optional(z.record(text, z.strictObject({ path: text, runtimeArgs: z.optional(list) }))),
    'default-runtime': z.optional(text),
    'cgroup-parent': z.optional(text),
    'exec-opts': z.optional(list),
    'default-ulimits': z.optional(
      z.record(text, z.object({ Name: z.optional(text), Hard: z.int(), Soft: z.int() })),
    ),
    init: z.optional(z.boolean()),
    'init-path': z.optional(text),
    'no-new-privileges': z.optional(z.boolean()),
    'seccomp-profile': z.optional(text),
    dns: z.optional(list),
    'dns-opts': z.optional(list),
    'dns-search': z.optional(list),
    'host-gateway-ip': z.optional(text),
  }),
);
type ConfigFile = z.output<ReturnType<typeof fileSchema>>;

/** Docker 20.10's other keys: `dockerd`'s options, and what only its file has. */
const DOCKER_KEYS: ReadonlySet<string> = new Set(
  (
    'allow-nondistributable-artifacts api-cors-header authorization-plugins bip bridge builder cluster-advertise ' +
    'cluster-store cluster-store-opts containerd containerd-namespace containerd-plugin-namespace cpu-rt-period ' +
    'cpu-rt-runtime default-address-pools default-cgroupns-mode default-gateway default-gateway-v6 ' +
    'default-ipc-mode default-network-opts default-shm-size disable-legacy-registry experimental features fixed-cidr ' +
    'fixed-cidr-v6 group hosts icc insecure-registries ip ip-forward ip-masq ip6tables iptables ipv6 labels ' +
    'live-restore log-driver log-opts max-concurrent-downloads max-concurrent-uploads max-download-attempts ' +
    'metrics-addr mtu network-control-plane-mtu network-diagnostic-port node-generic-resources ' +
    'oom-score-adjust pidfile raw-logs registry-mirrors rootless selinux-enabled shutdown-timeout ' +
    'swarm-default-advertise-addr tls tlscacert tlscert tlskey tlsverify userland-proxy userland-proxy-path ' +
    'userns-remap'
  ).split(' '),
);

/** The file's keys that are used; warns of those that are not. Fails with `InvalidParameter`, naming file and key. */
function readConfigFile(path: string, named: boolean, warn: (message: string) => void): ConfigFile {
  const content = named ? readNamed(path) : readTextIfAny(path);
  if (content === undefined) return {};
  const json = parseJsonText(content, path, 'InvalidParameter');
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new TsengineError('InvalidParameter', `${path}: not a JSON object`);
  }
  const idle = Object.keys(json).filter((key) => DOCKER_KEYS.has(key));
  if (idle.length > 0) warn(`${path}: without effect in tsengine: ${idle.join(', ')}`);
  const unknown = Object.keys(json).filter(
    (key) => !DOCKER_KEYS.has(key) && !Object.hasOwn(fileSchema().shape, key),
  );
  if (unknown.length > 0) {
    throw new TsengineError(
      'InvalidParameter',
      `unable to configure tsengine with file ${path}: the following directives don't match any configuration option: ${unknown.join(', ')}`,
    );
  }
  const used = Object.fromEntries(Object.entries(json).filter(([key]) => !DOCKER_KEYS.has(key)));
  const result = z.safeParse(fileSchema(), used);
  if (result.success) return result.data;
  throw new TsengineError('InvalidParameter', `${path}: ${schemaMessage(result.error)}`, {
    cause: result.error,
  });
}

function readNamed(path: string): string {
  try {
    return readText(path);
  } catch (error) {
    throw new TsengineError(
      'InvalidParameter',
      `cannot read the configuration file ${path}: name another with --config-file`,
      {
        cause: error,
      },
    );
  }
}

/** `native.cgroupdriver=systemd`; other options are Docker's for other systems. */
function cgroupDriver(options: readonly string[], file: string): RuntimeSettings['cgroupDriver'] {
  let driver: RuntimeSettings['cgroupDriver'];
  for (const option of options) {
    const [key = '', value = ''] = option.split('=', 2);
    if (key.toLowerCase() !== 'native.cgroupdriver') {
      throw new TsengineError(
        'InvalidParameter',
        `${file}: field "exec-opts": unknown option ${JSON.stringify(key)}`,
      );
    }
    if (value !== 'cgroupfs' && value !== 'systemd') {
      throw new TsengineError(
        'InvalidParameter',
        `${file}: field "exec-opts": native.cgroupdriver is cgroupfs or systemd, not ${JSON.stringify(value)}`,
      );
    }
    driver = value;
  }
  return driver;
}

/** Leaves out keys that are undefined. */
function given<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const out: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  for (const key in object) {
    const value = object[key];
    if (isGiven(value)) out[key] = value;
  }
  return out;
}

function isGiven<T>(value: T): value is Exclude<T, undefined> {
  return value !== undefined;
}

/**
 * systemd wants a slice, a plain cgroup filesystem a path. Which one a host has when nobody said: as `readHostFacts` finds it.
 * `given` is what the configuration file says.
 */
function cgroupParent(
  driver: RuntimeSettings['cgroupDriver'],
  plain: string,
  given: string | undefined,
): string {
  const isSystemd =
    driver === undefined
      ? existsSync('/run/systemd/system') && existsSync('/sys/fs/cgroup/cgroup.controllers')
      : driver === 'systemd';
  if (given === undefined) return isSystemd ? 'tsengine.slice' : plain;
  if (isSystemd && !isSlice(given)) throw new TsengineError('InvalidParameter', NO_SLICE);
  return given;
}

function runtimeSettings(file: ConfigFile, options: EngineOptions, path: string): RuntimeSettings {
  const defaults = DEFAULT_RUNTIME_SETTINGS;
  const runtimes = Object.entries(file.runtimes ?? {}).map(
    ([name, { path: program, runtimeArgs }]) =>
      [name, { path: program, ...given({ args: runtimeArgs }) }] as const,
  );
  const defaultRuntime = options.runtime ?? file['default-runtime'] ?? defaults.defaultRuntime;
  const isKnown = ['runc', 'crun'].includes(defaultRuntime) || defaultRuntime.includes('/');
  if (!isKnown && !Object.hasOwn(file.runtimes ?? {}, defaultRuntime)) {
    throw new TsengineError(
      'InvalidParameter',
      `specified default runtime '${defaultRuntime}' does not exist`,
    );
  }
  const profile = file['seccomp-profile'];
  const driver = cgroupDriver(file['exec-opts'] ?? [], path);
  const ulimits = Object.entries(file['default-ulimits'] ?? {}).map(([key, { Name, Hard, Soft }]) => ({
    Name: Name ?? key,
    Hard,
    Soft,
  }));
  return {
    ...defaults,
    defaultRuntime,
    runtimes: Object.fromEntries(runtimes),
    ...given({
      cgroupDriver: driver,
      initPath: file['init-path'],
      dns: file.dns,
      dnsOptions: file['dns-opts'],
      dnsSearch: file['dns-search'],
      hostGatewayIp: file['host-gateway-ip'],
    }),
    spec: {
      ...defaults.spec,
      cgroupParent: cgroupParent(driver, defaults.spec.cgroupParent, file['cgroup-parent']),
      ...given({
        init: file.init,
        noNewPrivileges: file['no-new-privileges'],
        seccompProfile: profile === undefined || profile === 'unconfined' ? profile : readText(profile),
      }),
      ...(ulimits.length === 0 ? {} : { ulimits }),
    },
  };
}

/** Reads the configuration file and lays the flags over it. Fails with `InvalidParameter`, naming what is wrong. */
export function readConfig(options: EngineOptions = {}): EngineConfig {
  const path = options.configFile ?? DEFAULT_CONFIG_FILE;
  const file = readConfigFile(path, options.configFile !== undefined, options.warn ?? (() => {}));
  const storageOpts = [...(file['storage-opts'] ?? []), ...(options.storageOpts ?? [])];
  return {
    dataRoot: options.dataRoot ?? file['data-root'] ?? file.graph,
    execRoot: options.execRoot ?? file['exec-root'],
    readOnlyRoot: options.readOnlyRoot ?? false,
    storageDriver: options.storageDriver ?? file['storage-driver'],
    storageOptions: storageOpts.map(parseStorageOption),
    syncLayers: file['sync-layers'] ?? true,
    logLevel: options.logLevel ?? (file.debug === true ? 'debug' : (file['log-level'] ?? 'info')),
    runtime: runtimeSettings(file, options, path),
  };
}
