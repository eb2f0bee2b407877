/** What goes on beside a measurement: bytes of the store's devices, and what else disturbed it. */

import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { readText, readTextIfAny } from '../../../src/linux/files.ts';
import type { DISTURBANCES } from '../schema.ts';

/** See `DISTURBANCES`. */
export type Disturbance = (typeof DISTURBANCES)[number];

/** What was seen between two looks. */
export interface Metered {
  readonly deviceRead: number;
  readonly deviceWritten: number;
  readonly disturbed?: Disturbance[];
}

/** One look at the machine. Times are in ticks of 10 ms, summed over all processors. */
interface Look {
  readonly at: number;
  readonly read: number;
  readonly written: number;
  /** Of programs, everybody's and ours: the kernel's own work may be ours or not, and is left out. */
  readonly user: number;
  readonly ours: number;
  readonly steal: number;
  readonly throttled: number;
  readonly swapped: number;
}

const SECTOR = 512;
/** Part of one processor that others may take of the time before it counts. */
const LOAD = 0.15;
/** Part of all processors' time that the host of a virtual machine may take away. */
const STEAL = 0.02;
/** Ticks below which nothing is said: they are too coarse for less. */
const LEAST_TICKS = 5;

/** Looks, and gives what tells what went on since. Ours are all processes of this pid namespace and the children that they waited for. */
export function startMeter(devices: readonly string[]): () => Metered {
  const before = look(devices);
  return () => {
    const after = look(devices);
    const disturbed = disturbances(before, after);
    return {
      deviceRead: after.read - before.read,
      deviceWritten: after.written - before.written,
      ...(disturbed.length === 0 ? {} : { disturbed }),
    };
  };
}

function disturbances(before: Look, after: Look): Disturbance[] {
  const ticks = (after.at - before.at) / 10;
  const others = after.user - before.user - (after.ours - before.ours);
  const stolen = after.steal - before.steal;
  const found: Disturbance[] = [];
  if (stolen >= LEAST_TICKS && stolen > STEAL * ticks * availableParallelism()) found.push('steal');
  if (others >= LEAST_TICKS && others > LOAD * ticks) found.push('load');
  if (after.throttled > before.throttled) found.push('throttled');
  if (after.swapped > before.swapped) found.push('swapped');
  return found;
}

function look(devices: readonly string[]): Look {
  let [read, written] = [0, 0];
  for (const device of devices) {
    const fields = readText(`/sys/block/${device}/stat`).trim().split(/\s+/).map(Number);
    read += (fields[2] ?? 0) * SECTOR;
    written += (fields[6] ?? 0) * SECTOR;
  }
  const [user = 0, nice = 0, , , , , , steal = 0] = (/^cpu +(.*)$/m.exec(readText('/proc/stat'))?.[1] ?? '')
    .split(' ')
    .map(Number);
  return {
    at: performance.now(),
    read,
    written,
    user: user + nice,
    ours: ourTicks(),
    steal,
    throttled: throttledTimes(),
    swapped: swappedPages(),
  };
}

/** `utime` and `cutime` of all processes that are seen: what a process that has ended took is with who waited for it. */
function ourTicks(): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const text = readTextIfAny(`/proc/${pid}/stat`);
    if (text === undefined) continue;
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11] ?? 0) + Number(fields[13] ?? 0);
  }
  return ticks;
}

/** How often the processors were slowed down for heat, or our cgroup for its limit. */
function throttledTimes(): number {
  let times = 0;
  for (let cpu = 0; cpu < availableParallelism(); cpu++)
    times += Number(
      readTextIfAny(`/sys/devices/system/cpu/cpu${cpu}/thermal_throttle/core_throttle_count`) ?? 0,
    );
  for (const file of ['/sys/fs/cgroup/cpu.stat', '/sys/fs/cgroup/cpu/cpu.stat'])
    times += Number(/^nr_throttled (\d+)$/m.exec(readTextIfAny(file) ?? '')?.[1] ?? 0);
  return times;
}

function swappedPages(): number {
  const text = readText('/proc/vmstat');
  return ['pswpin', 'pswpout'].reduce(
    (sum, name) => sum + Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0),
    0,
  );
}
