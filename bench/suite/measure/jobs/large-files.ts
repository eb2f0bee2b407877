/** Large files: fio on a file of the image, and on one of the container. */
import type { Reading, Rig } from '../rig.ts';
import type { Session } from '../session.ts';
import { memoryOf } from '../subjects.ts';
import { ROOT } from '../trees.ts';
import { figure, type Job, type Measured, meteredCall, type Point, readingOf } from './job.ts';

const MIB = 1024 * 1024;

interface Case {
  readonly workload: string;
  readonly mode: 'read' | 'randread' | 'write' | 'randwrite';
  readonly cache: 'cold' | 'warm';
  readonly direct?: boolean;
  readonly fsync?: boolean;
}

/** In the order in which they are run. What is written is a file that is written over from the second case on. */
const CASES: readonly Case[] = [
  { workload: 'large.read.seq.cold', mode: 'read', cache: 'cold' },
  { workload: 'large.read.seq.warm', mode: 'read', cache: 'warm' },
  { workload: 'large.read.rand.warm', mode: 'randread', cache: 'warm' },
  { workload: 'large.read.rand.cold', mode: 'randread', cache: 'cold' },
  { workload: 'large.read.seq.direct', mode: 'read', cache: 'cold', direct: true },
  { workload: 'large.read.rand.direct', mode: 'randread', cache: 'cold', direct: true },
  { workload: 'large.write.seq.buffered', mode: 'write', cache: 'warm' },
  { workload: 'large.write.seq.fsync', mode: 'write', cache: 'warm', fsync: true },
  { workload: 'large.write.seq.direct', mode: 'write', cache: 'warm', direct: true },
  { workload: 'large.write.rand.buffered', mode: 'randwrite', cache: 'warm' },
  { workload: 'large.write.rand.fsync', mode: 'randwrite', cache: 'warm', fsync: true },
  { workload: 'large.write.rand.direct', mode: 'randwrite', cache: 'warm', direct: true },
];

/** The part of a machine's memory that a file may have for all of it to be cached. */
const CACHED_PART = 0.6;

const [IMAGE, NEW, WRITTEN] = [`${ROOT}/large`, `${ROOT}/new`, `${ROOT}/written`];

/** The job for files of a size. The sequential writes each have a new file; the random ones go into one that has been written. */
export function largeFilesJob(size: number): Job {
  const point: Point = { size };
  // What has no room in memory is not read from there.
  const hasRoom = ({ plan }: Pick<Rig, 'plan'>, workload: string): boolean =>
    !workload.endsWith('.warm') || size <= CACHED_PART * memoryOf(plan.machine);
  return {
    id: `large-${size}`,
    series: CASES.map(({ workload }) => ({ workload, point })),
    means: (rig, { workload }) => hasRoom(rig, workload),
    run: async (rig, { fioSeconds, wants }) => {
      await using session = await rig.open();
      const cases = CASES.filter(({ workload }) => wants(workload) && hasRoom(rig, workload));
      const found: Measured[] = [];
      for (const one of cases.filter(({ mode }) => mode !== 'randwrite'))
        found.push({
          workload: one.workload,
          point,
          reading: await measure(rig, session, one, size, fioSeconds),
        });
      const random = cases.filter(({ mode }) => mode === 'randwrite');
      if (random.length === 0) return found;
      await session.call('make-file', { path: WRITTEN, size });
      for (const one of random)
        found.push({
          workload: one.workload,
          point,
          reading: await measure(rig, session, one, size, fioSeconds),
        });
      // On a volume it would stay.
      await session.call('remove', { path: WRITTEN });
      return found;
    },
  };
}

async function measure(
  rig: Rig,
  session: Session,
  { mode, cache, direct = false, fsync = false }: Case,
  size: number,
  seconds: number,
): Promise<Reading> {
  const isRead = mode === 'read' || mode === 'randread';
  const isSequential = mode === 'read' || mode === 'write';
  const path = isRead ? IMAGE : isSequential ? NEW : WRITTEN;
  if (cache === 'cold') await rig.dropCaches();
  else if (isRead) await session.call('read-whole', { path });
  const args = {
    ...{ path, size, mode, seconds, direct, fsync },
    block: isSequential ? Math.min(MIB, size) : 4096,
    // What is cached is read faster than fio can tell the time of, where it is little.
    loops: mode === 'read' && cache === 'warm' ? Math.ceil((256 * MIB) / size) : 1,
  };
  const { answer, metered } = await meteredCall(rig, () => session.call('fio', args));
  if (mode === 'write') await session.call('remove', { path });
  const value = figure(answer, isSequential ? 'rate' : 'operations');
  return { ...readingOf(value, answer, metered), switches: figure(answer, 'switches') };
}
