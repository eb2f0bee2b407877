/** Large files: fio on a file of the image, and on one of the container. */
import { ROOT } from '../trees.ts';
import { figure, type Job, type Measured, meteredCall, type Point, readingOf } from './job.ts';

const MIB = 1024 * 1024;

interface Case {
  readonly workload: string;
  readonly mode: 'read' | 'randread' | 'write' | 'randwrite';
  readonly cache: 'cold' | 'warm';
  readonly direct?: true;
  readonly fsync?: true;
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

/** The job for files of a size. The sequential writes each have a new file, the random ones the last of those. */
export function largeFilesJob(size: number): Job {
  const point: Point = { size };
  return {
    id: `large-${size}`,
    series: CASES.map(({ workload }) => ({ workload, point })),
    run: async (rig, { fioSeconds }) => {
      await using session = await rig.open();
      const found: Measured[] = [];
      let written = 0;
      for (const one of CASES) {
        const isRead = /read/.test(one.mode);
        const isSequential = one.mode === 'read' || one.mode === 'write';
        if (one.mode === 'write') written += 1;
        const path = isRead ? `${ROOT}/large` : `${ROOT}/written-${written}`;
        if (one.cache === 'cold') await rig.dropCaches();
        else if (isRead) await session.call('read-whole', { path });
        const args = {
          path,
          size,
          mode: one.mode,
          block: isSequential ? Math.min(MIB, size) : 4096,
          seconds: fioSeconds,
          direct: one.direct === true,
          fsync: one.fsync === true,
          // What is cached is read faster than fio can tell the time of, where it is little.
          loops: isSequential && one.cache === 'warm' && isRead ? Math.ceil((256 * MIB) / size) : 1,
        };
        // A new file of the full size, where fio's time for the last one may have ended before it was there.
        if (one.mode === 'randwrite' && one.workload === 'large.write.rand.buffered') {
          written += 1;
          await session.call('make-file', { path: `${ROOT}/written-${written}`, size });
          args.path = `${ROOT}/written-${written}`;
        }
        const { answer, metered } = await meteredCall(rig, () => session.call('fio', args));
        const value = figure(answer, isSequential ? 'rate' : 'operations');
        const switches = figure(answer, 'switches');
        found.push({
          workload: one.workload,
          point,
          reading: { ...readingOf(value, answer, metered), switches },
        });
        if (one.mode === 'write') await session.call('remove', { path });
      }
      // On a volume it would stay.
      await session.call('remove', { path: `${ROOT}/written-${written}` });
      return found;
    },
  };
}
