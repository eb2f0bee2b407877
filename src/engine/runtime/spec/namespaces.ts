/** Which namespaces a container gets, from the mode strings of its HostConfig. */
import { TsengineError } from '../../../errors.ts';
import type { HostConfig } from '../../api/host-config.ts';
import type { OciNamespace } from './oci.ts';

/** The other container of `container:NAME`, or `undefined` for every other mode. */
export function containerOfMode(mode: string): string | undefined {
  return mode.startsWith('container:') ? mode.slice('container:'.length) : undefined;
}

/** Whether a container has a network namespace of its own, and with it network sysctls. */
export function hasOwnNetwork(hostConfig: Pick<HostConfig, 'NetworkMode'>): boolean {
  return hostConfig.NetworkMode !== 'host' && containerOfMode(hostConfig.NetworkMode) === undefined;
}

/** Whether a container has a PID namespace of its own; without one it gets no init. */
export function hasOwnPids(hostConfig: Pick<HostConfig, 'PidMode'>): boolean {
  return hostConfig.PidMode !== 'host' && containerOfMode(hostConfig.PidMode) === undefined;
}

function joined(type: 'network' | 'ipc' | 'pid', path: string | undefined, mode: string): OciNamespace {
  if (path !== undefined) return { type, path };
  throw new TsengineError('System', `${type} mode ${mode}: the namespace to join was not given`);
}

function network(mode: string, path: string | undefined): OciNamespace[] {
  if (containerOfMode(mode) !== undefined) return [joined('network', path, mode)];
  // The host's is shared by making none. A path is a namespace that was set up beforehand.
  if (path === undefined) return mode === 'host' ? [] : [{ type: 'network' }];
  return [{ type: 'network', path }];
}

function pid(mode: string, path: string | undefined): OciNamespace[] {
  if (containerOfMode(mode) !== undefined) return [joined('pid', path, mode)];
  return mode === 'host' ? [] : [{ type: 'pid' }];
}

function ipc(mode: string, path: string | undefined): OciNamespace[] {
  if (containerOfMode(mode) !== undefined) return [joined('ipc', path, mode)];
  if (mode === 'host') return [];
  // Empty is what Docker before 17.06 wrote, and meant "shareable".
  if (['', 'private', 'shareable', 'none'].includes(mode)) return [{ type: 'ipc' }];
  throw new TsengineError('InvalidParameter', `Invalid IPC mode: ${mode}`);
}

function cgroup(mode: string): OciNamespace[] {
  if (mode === 'private') return [{ type: 'cgroup' }];
  if (mode === '' || mode === 'host') return [];
  throw new TsengineError('InvalidParameter', `invalid cgroup namespace mode: ${mode}`);
}

/**
 * The namespaces to make or join, in Docker's order. `join` holds paths such as `/proc/123/ns/net`; `container:…`
 * modes need theirs. Throws `InvalidParameter` in Docker's words on an unknown mode.
 */
export function containerNamespaces(
  hostConfig: Pick<HostConfig, 'NetworkMode' | 'IpcMode' | 'PidMode' | 'UTSMode' | 'CgroupnsMode'>,
  join: { readonly network?: string; readonly ipc?: string; readonly pid?: string } = {},
): OciNamespace[] {
  return [
    { type: 'mount' },
    ...network(hostConfig.NetworkMode, join.network),
    ...(hostConfig.UTSMode === 'host' ? [] : [{ type: 'uts' } as const]),
    ...pid(hostConfig.PidMode, join.pid),
    ...ipc(hostConfig.IpcMode, join.ipc),
    ...cgroup(hostConfig.CgroupnsMode),
  ];
}
