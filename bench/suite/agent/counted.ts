/** What a piece of work took besides time: of this process, and of its children that have ended. */
import { readFileSync } from 'node:fs';

/** Milliseconds of processor time, context switches, and bytes that came from disks and went to them. */
export interface Counted {
  readonly cpu: number;
  readonly switches: number;
  readonly read: number;
  readonly written: number;
}

/** The values of a piece of work, in the units of their workloads. */
export type Values = Readonly<Record<string, number>>;

/** Milliseconds of one tick of /proc/PID/stat. The kernel tells programs 100 in a second, whatever it is built with. */
const TICK = 10;

/** Does the work and counts. Switches of children are not told by the kernel to a parent like this one. */
export async function counted(
  work: () => Values | Promise<Values>,
): Promise<{ values: Values; counted: Counted }> {
  const before = now();
  const values = await work();
  const after = now();
  const difference = {
    cpu: after.cpu - before.cpu,
    switches: after.switches - before.switches,
    read: after.read - before.read,
    written: after.written - before.written,
  };
  return { values, counted: difference };
}

function now(): Counted {
  const { userCPUTime, systemCPUTime, voluntaryContextSwitches, involuntaryContextSwitches } =
    process.resourceUsage();
  const io = readFileSync('/proc/self/io', 'utf8');
  return {
    cpu: (userCPUTime + systemCPUTime) / 1000 + childTicks() * TICK,
    switches: voluntaryContextSwitches + involuntaryContextSwitches,
    // The kernel adds what a child did to these when its parent has waited for it.
    read: field(io, 'read_bytes'),
    written: field(io, 'write_bytes'),
  };
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

/** `cutime` and `cstime` of /proc/self/stat: fields 16 and 17, and the 14th and 15th after the name. */
function childTicks(): number {
  const text = readFileSync('/proc/self/stat', 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[13] ?? 0) + Number(fields[14] ?? 0);
}
