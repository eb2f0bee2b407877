/** Many at once in one container: docker-storage-benchmark's measurements, by its names. */
import { ROOT } from '../trees.ts';
import { figure, type Job, type Measured, meteredCall, type Point, readingOf } from './job.ts';

/** Reads first: an append copies the file up. The tree on a volume is made beside the others. */
const CASES = [
  { name: 'read-big-files', work: 'read', root: `${ROOT}/big-files`, layout: 'folder' },
  { name: 'read-small-files', work: 'read', root: `${ROOT}/small-files`, layout: 'folder' },
  { name: 'read-file-tree', work: 'read', root: `${ROOT}/tree-of-files`, layout: 'tree' },
  { name: 'read-file-tree-mounted', work: 'read', root: '/mounted/tree-of-files', layout: 'tree' },
  { name: 'append-to-big-files', work: 'append', root: `${ROOT}/big-files`, layout: 'folder' },
  { name: 'append-to-small-files', work: 'append', root: `${ROOT}/small-files`, layout: 'folder' },
  { name: 'append-to-file-tree', work: 'append', root: `${ROOT}/tree-of-files`, layout: 'tree' },
] as const;

/** The job for so many at once: each measurement finds the files in memory or on disk as the one before left them, as there. */
export function parallelJob(parallel: number): Job {
  const point: Point = { parallel };
  return {
    id: `parallel-${parallel}`,
    // Slowdowns are compared with each other, which takes one turn more than values do.
    least: 5,
    series: CASES.map(({ name }) => ({ workload: `parallel.${name}`, point })),
    run: async (rig, { wants }) => {
      await using session = await rig.open();
      rig.changes();
      await rig.dropCaches();
      const found: Measured[] = [];
      for (const { name, work, root, layout } of CASES) {
        if (!wants(`parallel.${name}`)) continue;
        const args = { work, root, layout, parallel };
        const { answer, metered } = await meteredCall(rig, () => session.call('parallel', args));
        found.push({
          workload: `parallel.${name}`,
          point,
          reading: readingOf(figure(answer, 'rate'), answer, metered),
        });
      }
      return found;
    },
  };
}
