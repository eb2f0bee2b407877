/** What `create` refuses before it makes anything: Docker's checks on the engine's side, and what we do not have yet. */
import { TsengineError } from '../../errors.ts';
import type { ContainerConfig, HealthConfig } from '../api/container-config.ts';
import type { HostConfig } from '../api/host-config.ts';
import { checkRuntimeName } from '../runtime/oci-runtime.ts';
import type { RuntimeSettings } from '../runtime/settings.ts';
import { type CreateHost, checkSettings } from '../runtime/spec/create-settings.ts';
import { parseExtraHost } from './network-files.ts';
import { parseSignal } from './signals.ts';

const invalid = (message: string) => new TsengineError('InvalidParameter', message);
const later = (message: string) => new TsengineError('NotImplemented', message);

/** Networks that exist without anybody having made them, and that we serve. `default` is none until there are others. */
const NETWORKS = new Set(['', 'default', 'none', 'host']);

/** Docker's floor for durations of health checks, in nanoseconds. */
const MIN_HEALTH_DURATION = 1_000_000;

function checkHealth(health: HealthConfig | undefined): void {
  if (health === undefined) return;
  for (const key of ['Interval', 'Timeout', 'StartPeriod'] as const) {
    const value = health[key] ?? 0;
    if (value !== 0 && value < MIN_HEALTH_DURATION) {
      throw invalid(`${key} in Healthcheck cannot be less than 1ms`);
    }
  }
  if ((health.Retries ?? 0) < 0) throw invalid('Retries in Healthcheck cannot be negative');
}

function checkRestartPolicy(policy: HostConfig['RestartPolicy']): void {
  const { Name: name, MaximumRetryCount: count } = policy;
  if (name === '') return;
  if (name === 'on-failure') {
    if (count < 0) throw invalid('maximum retry count cannot be negative');
  } else if (['always', 'unless-stopped', 'no'].includes(name)) {
    if (count !== 0) throw invalid(`maximum retry count cannot be used with restart policy '${name}'`);
  } else throw invalid(`invalid restart policy '${name}'`);
}

function checkNetwork(config: ContainerConfig, hostConfig: HostConfig): void {
  const mode = hostConfig.NetworkMode;
  if (mode === 'host' && (hostConfig.Links ?? []).length > 0) {
    throw invalid(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  }
  if (mode === 'host' && (config.MacAddress ?? '') !== '') {
    throw invalid('conflicting options: mac-address and the network mode');
  }
  if (NETWORKS.has(mode)) return;
  throw later(`network ${mode} is not supported yet: use --network none or --network host`);
}

function checkMissingFeatures(hostConfig: HostConfig): void {
  const { RestartPolicy, Links, VolumesFrom } = hostConfig;
  if (RestartPolicy.Name !== '' && RestartPolicy.Name !== 'no') {
    throw later(`restart policy ${RestartPolicy.Name} is not supported yet: leave --restart out`);
  }
  if ((Links ?? []).length > 0) throw later('--link is not supported yet');
  if ((VolumesFrom ?? []).length > 0) throw later('--volumes-from is not supported yet');
  if (Object.keys(hostConfig.PortBindings ?? {}).length > 0 && hostConfig.NetworkMode !== 'host') {
    throw later('published ports are not supported yet: use --network host');
  }
}

/** Checks what `create` was asked for. Fails with `InvalidParameter` in Docker's words. Gives warnings for people. */
export function checkRequest(
  config: ContainerConfig,
  hostConfig: HostConfig,
  host: CreateHost,
  settings: RuntimeSettings,
): string[] {
  if ((config.StopSignal ?? '') !== '') parseSignal(config.StopSignal ?? '');
  checkHealth(config.Healthcheck);
  for (const entry of hostConfig.ExtraHosts ?? []) parseExtraHost(entry);
  checkRestartPolicy(hostConfig.RestartPolicy);
  checkSettings(config, hostConfig, host);
  checkRuntimeName(hostConfig.Runtime ?? '', settings);
  checkNetwork(config, hostConfig);
  checkMissingFeatures(hostConfig);
  const ports = Object.keys(hostConfig.PortBindings ?? {}).length > 0;
  return hostConfig.NetworkMode === 'host' && ports
    ? ['Published ports are discarded when using host network mode']
    : [];
}
