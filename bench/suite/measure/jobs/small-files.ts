/** Small files: those of the image are read, looked at, listed and removed, those of the container made and renamed. */

import { TOOLS } from '../tools.ts';
import { IN_EACH, ROOT } from '../trees.ts';
import { figure, type Job, type Measured, meteredCall, type Point, readingOf } from './job.ts';

interface Case {
  readonly workload: string;
  readonly call: string;
  /** The beginning of the name of its directory. */
  readonly root: string;
  readonly cold?: true;
}

const CASES: readonly Case[] = [
  { workload: 'small.read.cold', call: 'read-files', root: 'small', cold: true },
  { workload: 'small.read.warm', call: 'read-files', root: 'small' },
  { workload: 'small.stat', call: 'stat-files', root: 'small' },
  { workload: 'small.list', call: 'list-files', root: 'small' },
  { workload: 'small.create', call: 'create-files', root: 'made' },
  { workload: 'small.rename', call: 'rename-files', root: 'made' },
  { workload: 'small.remove', call: 'remove-files', root: 'small' },
];

/** The job for so many files of a size: one sample of each for each set of them. */
export function smallFilesJob(bytes: number, count: number, sets: number): Job {
  const point: Point = { bytes, count };
  return {
    id: `small-${bytes}-${count}`,
    series: CASES.map(({ workload }) => ({ workload, point })),
    run: async (rig) => {
      await using session = await rig.open();
      rig.changes();
      const found: Measured[] = [];
      for (let set = 0; set < sets; set++) {
        for (const { workload, call, root, cold } of CASES) {
          if (cold === true) await rig.dropCaches();
          const args = { root: `${ROOT}/${root}-${set}`, count, bytes, each: IN_EACH };
          const { answer, metered } = await meteredCall(rig, () => session.call(call, args));
          found.push({ workload, point, reading: readingOf(figure(answer, 'rate'), answer, metered) });
        }
      }
      return found;
    },
  };
}

/** A source tree: one of the image is walked over, and one unpacked. */
export const sourceTreeJob: Job = {
  id: 'source-tree',
  series: [
    { workload: 'small.walk', point: {} },
    { workload: 'small.untar', point: {} },
  ],
  run: async (rig) => {
    await using session = await rig.open();
    rig.changes();
    // Nothing of it is cached at first, as it is where a work tree has not been looked at for a while.
    await rig.dropCaches();
    const walk = await meteredCall(rig, () => session.call('walk', { root: `${ROOT}/tree` }));
    // The archive is in memory for all alike.
    await session.call('read-whole', { path: `${TOOLS}/source-tree.tar` });
    const untar = await meteredCall(rig, () =>
      session.call('untar', { archive: `${TOOLS}/source-tree.tar`, to: `${ROOT}/unpacked` }),
    );
    return [
      {
        workload: 'small.walk',
        point: {},
        reading: readingOf(figure(walk.answer, 'ms'), walk.answer, walk.metered),
      },
      {
        workload: 'small.untar',
        point: {},
        reading: readingOf(figure(untar.answer, 'ms'), untar.answer, untar.metered),
      },
    ];
  },
};
