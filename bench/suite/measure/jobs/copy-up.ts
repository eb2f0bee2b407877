/** The first change of a file of the image, and the second. */
import { lowerPath } from '../trees.ts';
import { figure, type Job, type Measured, meteredCall, readingOf } from './job.ts';

/** What is done first, by the middle of its workloads' names. */
const KINDS = [
  { kind: 'byte', call: 'write-start', bytes: 1 },
  { kind: 'page', call: 'write-start', bytes: 4096 },
  { kind: 'chmod', call: 'change-mode', bytes: 0 },
  { kind: 'chown', call: 'change-owner', bytes: 0 },
] as const;

/**
 * The job for files of a size, one at each depth. Each change is the first of its file, so that each kind needs a container of its own;
 * in each of the four another depth has another kind.
 */
export function copyUpJob(lower: number, depths: readonly number[]): Job {
  return {
    id: `copy-up-${lower}`,
    series: depths.flatMap((depth) => [
      ...KINDS.flatMap(({ kind }) =>
        ['latency', 'written', 'space'].map((what) => ({
          workload: `copy-up.${kind}.${what}`,
          point: { lower, depth },
        })),
      ),
      { workload: 'copy-up.second.latency', point: { lower, depth } },
    ]),
    run: async (rig) => {
      const found: Measured[] = [];
      for (let turn = 0; turn < KINDS.length; turn++) {
        await using session = await rig.open();
        rig.changes();
        for (const [place, depth] of depths.entries()) {
          const one = KINDS[(turn + place) % KINDS.length] ?? KINDS[0];
          const point = { lower, depth };
          const args = { path: `/${lowerPath(depth)}`, bytes: one.bytes };
          await rig.dropCaches();
          const before = await rig.used();
          const { answer, metered } = await meteredCall(rig, () => session.call(one.call, args));
          const space = (await rig.used()) - before;
          const reading = readingOf(figure(answer, 'ms'), answer, metered);
          found.push(
            { workload: `copy-up.${one.kind}.latency`, point, reading },
            {
              workload: `copy-up.${one.kind}.written`,
              point,
              reading: { ...reading, value: metered.deviceWritten },
            },
            { workload: `copy-up.${one.kind}.space`, point, reading: { ...reading, value: space } },
          );
          if (one.kind !== 'byte') continue;
          const second = await meteredCall(rig, () => session.call('write-start', args));
          found.push({
            workload: 'copy-up.second.latency',
            point,
            reading: readingOf(figure(second.answer, 'ms'), second.answer, second.metered),
          });
        }
      }
      return found;
    },
  };
}
