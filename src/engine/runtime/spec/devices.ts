/** Device nodes and device cgroup rules of a container. */
import { TsengineError } from '../../../errors.ts';
import type { ResolvedDevice } from './input.ts';
import type { OciDevice, OciDeviceRule } from './oci.ts';

/**
 * What every container may use, in Docker's order: zero, null, urandom, random, tty and console; then fuse, which is
 * expressly refused. Numbers: the kernel's `Documentation/admin-guide/devices.txt`. The runtime makes the nodes
 * themselves (config-linux.md, "Default Devices").
 */
const DEFAULT_RULES: readonly (readonly [allow: boolean, major: number, minor: number])[] = [
  [true, 1, 5],
  [true, 1, 3],
  [true, 1, 9],
  [true, 1, 8],
  [true, 5, 0],
  [true, 5, 1],
  [false, 10, 229],
];

/** The device cgroup rules of a container that asks for no device. */
export function defaultDeviceRules(): OciDeviceRule[] {
  const nodes = DEFAULT_RULES.map(([allow, major, minor]) => ({
    allow,
    type: 'c',
    major,
    minor,
    access: 'rwm',
  }));
  return [{ allow: false, access: 'rwm' }, ...nodes];
}

/** One `--device-cgroup-rule` (`c 1:* rwm`, see cgroup-v1/devices). Throws `InvalidParameter` in Docker's words. */
export function parseDeviceRule(rule: string): OciDeviceRule {
  const [, type, major, minor, access] = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/.exec(rule) ?? [];
  if (type === undefined || access === undefined) {
    throw new TsengineError('InvalidParameter', `invalid device cgroup rule format: '${rule}'`);
  }
  const number = (text: string | undefined): number => (text === '*' ? -1 : Number(text));
  return { allow: true, type, major: number(major), minor: number(minor), access };
}

/** What `containerDevices` goes by. */
export interface DeviceSettings {
  readonly privileged: boolean;
  readonly devices: readonly ResolvedDevice[];
  readonly rules: readonly string[];
  /** All device nodes of the host; used only if privileged. */
  readonly hostDevices: readonly OciDevice[];
}

/** Nodes to make, rules for the cgroup, and what to tell the user. */
export interface ContainerDevices {
  readonly nodes: readonly OciDevice[];
  readonly rules: readonly OciDeviceRule[];
  readonly warnings: readonly string[];
}

function privilegedDevices(settings: DeviceSettings): ContainerDevices {
  const warnings: string[] = [];
  const nodes = [...settings.hostDevices];
  for (const device of settings.devices) {
    if (device.permissions !== 'rwm') {
      warnings.push(
        `custom ${device.permissions} permissions for device ${device.pathOnHost} are ignored in privileged mode`,
      );
    }
    if (device.pathOnHost === device.pathInContainer) {
      warnings.push(`path in container ${device.pathInContainer} already exists in privileged mode`);
    } else {
      nodes.push(...device.nodes);
    }
  }
  return { nodes, rules: [{ allow: true, access: 'rwm' }], warnings };
}

/**
 * A container's devices: with `--privileged` all of the host's and no restriction, else the defaults plus what
 * `--device` and `--device-cgroup-rule` add.
 */
export function containerDevices(settings: DeviceSettings): ContainerDevices {
  if (settings.privileged) return privilegedDevices(settings);
  const nodes = settings.devices.flatMap((device) => device.nodes);
  const own = settings.devices.flatMap((device) =>
    device.nodes.map(({ type, major, minor }) => ({
      allow: true,
      type,
      major,
      minor,
      access: device.permissions,
    })),
  );
  return {
    nodes,
    rules: [...defaultDeviceRules(), ...own, ...settings.rules.map(parseDeviceRule)],
    warnings: [],
  };
}
