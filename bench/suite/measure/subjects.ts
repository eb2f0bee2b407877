/** Who is compared: storage drivers on stores, the filesystems without one, other engines. */
import { existsSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { DriverName } from '../../../src/drivers/driver.ts';
import type { SUBJECT_KINDS } from '../schema.ts';
import type { StoreKind } from '../stores/store.ts';

/** What is known of a subject before it is made. */
export interface SubjectPlan {
  /** `overlay2@ext4`, `raw@ext4`, `docker-overlay2@ext4`, with the machine behind it where that is not this one. */
  readonly id: string;
  readonly kind: (typeof SUBJECT_KINDS)[number];
  readonly engine: 'tsengine' | 'docker' | 'podman';
  readonly driver: DriverName | null;
  readonly store: StoreKind;
  readonly baseline: string | null;
  /** `host` or a kernel of the lab. */
  readonly machine: string;
  /** What is there to try the suite itself: the same once more, and one that a layer of FUSE slows down. */
  readonly variant?: (typeof VARIANTS)[number];
}

/** See `SubjectPlan`. */
export const VARIANTS = ['again', 'slowed'] as const;

/** On which stores each driver is measured: the first is the one of a quick answer. */
const STORES: Readonly<Record<DriverName, readonly StoreKind[]>> = {
  overlay2: ['ext4', 'xfs'],
  aufs: ['ext4', 'xfs'],
  vfs: ['ext4', 'xfs'],
  btrfs: ['btrfs'],
  zfs: ['zpool'],
  devicemapper: ['thin-pool'],
};

/** What is under a store where there is no driver: a thin pool's layers are ext4 on a device. */
function rawStore(store: StoreKind): StoreKind {
  return store === 'thin-pool' ? 'ext4' : store;
}

/** Drivers that dockerd and podman have as well. */
const PEER_DRIVERS: Readonly<Record<'docker' | 'podman', readonly DriverName[]>> = {
  docker: ['overlay2', 'btrfs', 'vfs'],
  podman: ['overlay2', 'btrfs', 'vfs'],
};

/** The kernel of the lab on which drivers run that this one lacks. */
export const LAB_KERNEL = 'debian:6.1';

/** Bytes of memory of its machine. */
export const LAB_MEMORY = 3 * 1024 ** 3;

/** Bytes of memory of a subject's machine. */
export function memoryOf(machine: string): number {
  return machine === 'host' ? totalmem() : LAB_MEMORY;
}

/** What is asked for. */
export interface SubjectRequest {
  readonly drivers: readonly DriverName[];
  readonly peers: readonly ('docker' | 'podman')[];
  /** Only the first store of each driver. */
  readonly isQuick: boolean;
  /** Whether the suite itself is tried: each driver twice, under two names, and vfs slowed down. */
  readonly isSelfTest?: boolean;
  /** On which machine a driver is to be measured. */
  machineOf(driver: DriverName): string;
}

/** All subjects of a run, the filesystems without a driver that they need among them. */
export function planSubjects(request: SubjectRequest): readonly SubjectPlan[] {
  const plans = new Map<string, SubjectPlan>();
  const add = (plan: SubjectPlan): void => void plans.set(plan.id, plan);
  for (const driver of request.drivers) {
    const machine = request.machineOf(driver);
    const after = machine === 'host' ? '' : `+${machine}`;
    const stores = STORES[driver].slice(0, request.isQuick ? 1 : undefined);
    for (const store of stores) {
      const raw = rawStore(store);
      const baseline = `raw@${raw}${after}`;
      const common = { engine: 'tsengine', store, machine } as const;
      add({ ...common, id: baseline, kind: 'raw', driver: null, store: raw, baseline: null });
      add({ ...common, id: `${driver}@${store}${after}`, kind: 'driver', driver, baseline });
      if (request.isSelfTest === true && machine === 'host')
        for (const variant of driver === 'vfs' ? VARIANTS : (['again'] as const))
          add({ ...common, id: `${driver}-${variant}@${store}`, kind: 'driver', driver, baseline, variant });
      for (const peer of machine === 'host' ? request.peers : [])
        if (PEER_DRIVERS[peer].includes(driver))
          add({ ...common, id: `${peer}-${driver}@${store}`, kind: 'peer', engine: peer, driver, baseline });
    }
  }
  return [...plans.values()];
}

/** Whether this kernel itself has what a driver needs. Modules that are not loaded yet are for who asks to load first. */
export function isNative(driver: DriverName): boolean {
  switch (driver) {
    case 'zfs':
      return existsSync('/dev/zfs');
    case 'devicemapper':
      return / device-mapper$/m.test(readFileSync('/proc/devices', 'utf8'));
    case 'aufs':
      return /\baufs$/m.test(readFileSync('/proc/filesystems', 'utf8'));
    default:
      return true;
  }
}
