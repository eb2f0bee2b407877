/**
 * Linux capabilities: their names and numbers, Docker's rules for `--cap-add` and `--cap-drop`, and what this host can
 * hand on.
 */
import { TsengineError } from '../../../errors.ts';

/** Names in the order of their numbers, without `CAP_`. Source: `include/uapi/linux/capability.h`. */
const NAMES =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE ' +
  'NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT ' +
  'SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE ' +
  'AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ ' +
  'PERFMON BPF CHECKPOINT_RESTORE';

/** The last one that Docker 20.10 knows; it refuses to add or drop those that came with Linux 5.8 and 5.9. */
const LAST_KNOWN_TO_DOCKER = 37;

/** What a container has unless told otherwise, in Docker's order. */
const DEFAULTS =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE ' +
  'SYS_CHROOT KILL AUDIT_WRITE';

const withPrefix = (names: string): string[] => names.split(' ').map((name) => `CAP_${name}`);

/** All capabilities that Linux has, at the index of their number. */
export function allCapabilities(): string[] {
  return withPrefix(NAMES);
}

/** The capabilities that containers may be given, which is what `ALL` and `--privileged` mean in Docker 20.10. */
export function knownCapabilities(): string[] {
  return allCapabilities().slice(0, LAST_KNOWN_TO_DOCKER + 1);
}

/** Docker's fourteen default capabilities. */
export function defaultCapabilities(): string[] {
  return withPrefix(DEFAULTS);
}

/** `chown`, `CHOWN` and `CAP_CHOWN` to `CAP_CHOWN`; `all` to `ALL`. Throws `InvalidParameter` on unknown names. */
function normalize(names: readonly string[] | null, flag: 'CapAdd' | 'CapDrop'): string[] {
  const known = new Set(knownCapabilities());
  return (names ?? []).map((name) => {
    const upper = name.toUpperCase();
    if (upper === 'ALL') return upper;
    const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    if (known.has(full)) return full;
    throw new TsengineError(
      'InvalidParameter',
      `invalid ${flag}: unknown capability: ${JSON.stringify(full)}`,
    );
  });
}

/** The settings of a container that decide its capabilities. */
export interface CapabilitySettings {
  readonly CapAdd: readonly string[] | null;
  readonly CapDrop: readonly string[] | null;
  readonly Privileged: boolean;
}

/**
 * The capabilities that a container asks for, with full names, in Docker's order. Throws `InvalidParameter` with
 * Docker's `invalid CapAdd: unknown capability: "CAP_FOO"`.
 */
export function requestedCapabilities(settings: CapabilitySettings): string[] {
  const add = normalize(settings.CapAdd, 'CapAdd');
  const drop = new Set(normalize(settings.CapDrop, 'CapDrop'));
  if (settings.Privileged) return knownCapabilities();
  if (add.includes('ALL')) return knownCapabilities().filter((name) => !drop.has(name));
  if (drop.has('ALL')) return add;
  return [...defaultCapabilities().filter((name) => !drop.has(name)), ...add];
}

/** The bounding set of a process, from the text of its `/proc/PID/status` (`CapBnd`, hexadecimal; see proc(5)). */
export function parseBoundingSet(status: string): Set<string> {
  const hex = /^CapBnd:\s*([0-9a-fA-F]+)$/m.exec(status)?.[1];
  if (hex === undefined)
    throw new TsengineError('System', '/proc/self/status: no CapBnd line with a hexadecimal mask');
  const mask = BigInt(`0x${hex}`);
  return new Set(allCapabilities().filter((_, number) => ((mask >> BigInt(number)) & 1n) === 1n));
}

/**
 * Parts what was asked for into what this host can hand on and what it cannot. Setting a capability that is not in
 * the bounding set fails in runc with EPERM, as happens to Docker inside containers.
 */
export function clampCapabilities(
  requested: readonly string[],
  available: ReadonlySet<string>,
): { granted: string[]; refused: string[] } {
  return {
    granted: requested.filter((name) => available.has(name)),
    refused: requested.filter((name) => !available.has(name)),
  };
}
