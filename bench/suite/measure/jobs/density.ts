/** Many containers at once: what they take while they are idle, and while they all read the same file. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno, TsengineError } from '../../../../src/errors.ts';
import { readText, readTextIfAny } from '../../../../src/linux/files.ts';
import { runEngine } from '../engine.ts';
import { seenInContainers } from '../in-containers.ts';
import { cachedOf } from '../page-cache.ts';
import { dropKernelCaches, type Rig } from '../rig.ts';
import { runWords } from '../session.ts';
import { ROOT } from '../trees.ts';
import type { Job, Measured, Point } from './job.ts';

/** The gate is a pipe with a name, at which all wait until somebody opens its other end. They stay when they have read. */
const SCRIPT = [
  'echo >>/gate/waiting; read word </gate/pipe',
  `dd if=${ROOT}/large of=/dev/null bs=1048576 2>/dev/null`,
  'echo >>/gate/done; exec sleep 1000000',
].join('; ');

/** How long all may take to come as far, in milliseconds. */
const PATIENCE = 1_200_000;

/** The job for so many containers. */
export function densityJob(containers: number): Job {
  const point: Point = { containers };
  return {
    id: `density-${containers}`,
    series: ['page-cache', 'resident', 'distinct', 'time', 'memory', 'disk'].map((what) => ({
      workload: `density.${what}`,
      point,
    })),
    // The root of a container without a driver's files is a copy, whatever the filesystem.
    means: ({ plan }, { workload }) => plan.kind !== 'raw' || workload !== 'density.disk',
    run: async (rig) => {
      const gate = `${rig.work}/gate`;
      const names = Array.from({ length: containers }, (_, index) => `density-${index}`);
      mkdirSync(gate);
      execFileSync('mkfifo', [`${gate}/pipe`]);
      try {
        return await measure(rig, gate, names, point);
      } finally {
        await runEngine(rig.engine(), 'rm', '-f', ...names).catch(() => '');
        rmSync(gate, { recursive: true });
        await rig.engine().quiet();
      }
    },
  };
}

async function measure(rig: Rig, gate: string, names: readonly string[], point: Point): Promise<Measured[]> {
  const count = names.length;
  const diskBefore = await rig.used();
  dropKernelCaches();
  const memoryBefore = memoryOfProcesses();
  const options = rig.container();
  const container = { ...options, volumes: { ...options.volumes, '/gate': gate } };
  for (const name of names) {
    const words = runWords(container, '-d', '--name', name);
    await runEngine(rig.engine(), ...words, 'sh', '-c', SCRIPT);
  }
  await untilLines(`${gate}/waiting`, count);
  await rig.engine().quiet();
  const disk = ((await rig.used()) - diskBefore) / count;
  dropKernelCaches();
  const memory = (memoryOfProcesses() - memoryBefore) / count;
  const cacheBefore = pageCache();
  const { result: ms, metered } = await rig.metered(async () => {
    const started = performance.now();
    await untilLines(`${gate}/done`, count, () => openGate(`${gate}/pipe`));
    return performance.now() - started;
  });
  const cache = pageCache() - cacheBefore;
  const files = seenInContainers(`${ROOT}/large`);
  if (files.length !== count)
    throw new TsengineError('System', `${files.length} containers of ${count} have the file`);
  const { seen, distinct } = cachedOf(files.map(({ path }) => path));
  const { disturbed } = metered;
  const beside = disturbed === undefined ? {} : { disturbed };
  return [
    { workload: 'density.page-cache', point, reading: { value: cache, ...beside } },
    { workload: 'density.resident', point, reading: { value: seen, ...beside } },
    { workload: 'density.distinct', point, reading: { value: distinct, ...beside } },
    { workload: 'density.time', point, reading: { value: ms, ...metered } },
    { workload: 'density.memory', point, reading: { value: memory, ...beside } },
    { workload: 'density.disk', point, reading: { value: disk, ...beside } },
  ];
}

/** Lets go all who wait at the pipe by now. It may be that nobody does. */
function openGate(path: string): void {
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch (error) {
    if (!hasErrno(error, 'ENXIO')) throw error;
  }
}

/** Milliseconds after which the gate is opened again for those who have come late. */
const AGAIN = 500;

/** Waits until a file has so many lines, one of each container; `nudge` is called at once, and again from time to time. */
async function untilLines(path: string, count: number, nudge?: () => void): Promise<void> {
  const started = performance.now();
  let next = started;
  while ((readTextIfAny(path) ?? '').split('\n').length - 1 < count) {
    if (performance.now() - started > PATIENCE)
      throw new TsengineError(
        'System',
        `not all of ${count} containers were done after ${PATIENCE / 1000} s`,
      );
    if (performance.now() >= next) {
      nudge?.();
      next += AGAIN;
    }
    await sleep(2);
  }
}

function meminfo(name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(readText('/proc/meminfo'))?.[1] ?? 0) * 1024;
}

/** Bytes of memory of all processes here, what several share divided among them: the kernel's own are not in it, and nothing of anybody else's. */
function memoryOfProcesses(): number {
  let bytes = 0;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const text = readTextIfAny(`/proc/${pid}/smaps_rollup`) ?? '';
    bytes += Number(/^Pss: +(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
  }
  return bytes - ownMemory();
}

/** This process collects its garbage when it likes. */
function ownMemory(): number {
  return Number(/^Pss: +(\d+) kB$/m.exec(readText('/proc/self/smaps_rollup'))?.[1] ?? 0) * 1024;
}

/** Bytes of files in memory: in the page cache, and in the cache that ZFS has of its own. */
function pageCache(): number {
  let own = 0;
  try {
    const text = readFileSync('/proc/spl/kstat/zfs/arcstats', 'utf8');
    own = Number(/^size +\d+ +(\d+)$/m.exec(text)?.[1] ?? 0);
  } catch {
    // This kernel has no ZFS.
  }
  return meminfo('Cached') + meminfo('Buffers') + own;
}
