/** Default values of a HostConfig, apart from its schema so that code which needs only these loads no more. */

/** Paths that a container sees as empty, unless privileged or `systempaths=unconfined`. Docker 20.10.24's list. */
export const DEFAULT_MASKED_PATHS: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
];

/** Paths that a container cannot write, unless privileged or `systempaths=unconfined`. Docker 20.10.24's list. */
export const DEFAULT_READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** The size of `/dev/shm` in bytes where nobody asked for another. */
export const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;
