/** The first change of a file of the image, and the second. */
import type { Rig } from '../rig.ts';
import type { Session } from '../session.ts';
import { lowerPath } from '../trees.ts';
import { figure, type Job, type Measured, meteredCall, type Point, readingOf } from './job.ts';

/** What is done first, by the middle of its workloads' names. */
const KINDS = [
  { kind: 'byte', call: 'write-start', bytes: 1 },
  { kind: 'page', call: 'write-start', bytes: 4096 },
  { kind: 'chmod', call: 'change-mode', bytes: 0 },
  { kind: 'chown', call: 'change-owner', bytes: 0 },
] as const;

/**
 * The job for so many files of a size at each depth. Each change is the first of its file. Where there are enough files for all kinds, one
 * container does them all, several times; else each kind needs a container of its own, and in each of the four another depth has
 * another kind.
 */
export function copyUpJob(lower: number, depths: readonly number[], copies: number): Job {
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
    run: async (rig, { wants }) => {
      const found: Measured[] = [];
      const isWanted = (kind: string): boolean =>
        ['latency', 'written', 'space'].some((what) => wants(`copy-up.${kind}.${what}`)) ||
        (kind === 'byte' && wants('copy-up.second.latency'));
      const containers = copies < KINDS.length ? KINDS.length : 1;
      for (let turn = 0; turn < containers; turn++) {
        await using session = await rig.open();
        rig.changes();
        for (const [place, depth] of depths.entries()) {
          const times = containers > 1 ? 1 : Math.floor(copies / KINDS.length) * KINDS.length;
          for (let copy = 0; copy < times; copy++) {
            const kind = KINDS[(turn + place + copy) % KINDS.length] ?? KINDS[0];
            if (!isWanted(kind.kind)) continue;
            const path = `/${lowerPath(depth, copy)}`;
            found.push(...(await change(rig, session, kind, path, { lower, depth })));
          }
        }
      }
      return found;
    },
  };
}

async function change(
  rig: Rig,
  session: Session,
  { kind, call, bytes }: (typeof KINDS)[number],
  path: string,
  point: Point,
): Promise<Measured[]> {
  const args = { path, bytes };
  await rig.dropCaches();
  const before = await rig.used();
  const { answer, metered } = await meteredCall(rig, () => session.call(call, args));
  const space = (await rig.used()) - before;
  const reading = readingOf(figure(answer, 'ms'), answer, metered);
  const found: Measured[] = [
    { workload: `copy-up.${kind}.latency`, point, reading },
    { workload: `copy-up.${kind}.written`, point, reading: { ...reading, value: metered.deviceWritten } },
    { workload: `copy-up.${kind}.space`, point, reading: { ...reading, value: space } },
  ];
  if (kind !== 'byte') return found;
  const second = await meteredCall(rig, () => session.call('write-start', args));
  return [
    ...found,
    {
      workload: 'copy-up.second.latency',
      point,
      reading: readingOf(figure(second.answer, 'ms'), second.answer, second.metered),
    },
  ];
}
