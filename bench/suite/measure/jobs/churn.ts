/** What is left of containers that came and went, and of a file that was written over at random places. */
import { availableParallelism } from 'node:os';
import { runEngine } from '../engine.ts';
import { seenInContainers } from '../in-containers.ts';
import type { Rig } from '../rig.ts';
import { runWords, type Session } from '../session.ts';
import { ROOT } from '../trees.ts';
import { figure, type Job, type Measured, meteredCall, readingOf } from './job.ts';

const MIB = 1024 * 1024;
const CONTAINERS = 200;
const SIZE = 256 * MIB;
/** Random writes of 4 KiB: an eighth of the file. */
const OVERWRITES = SIZE / 4096 / 8;

/** Each writes a mebibyte and goes. */
const SCRIPT = `dd if=/dev/urandom of=${ROOT}/written bs=65536 count=16 2>/dev/null`;

/** The containers. */
export const churnJob: Job = {
  id: 'churn',
  series: [{ workload: 'churn.space', point: {} }],
  least: 5,
  // On a volume nothing goes with a container.
  means: ({ plan }) => plan.kind !== 'raw',
  run: async (rig) => {
    const words = [...runWords(rig.container(), '--rm'), 'sh', '-c', SCRIPT];
    // What the engine keeps once it has run a container at all is none of this.
    await runEngine(rig.engine(), ...words);
    await rig.engine().quiet();
    const before = await rig.used();
    const { metered } = await rig.metered(async () => {
      let left = CONTAINERS;
      const one = async (): Promise<void> => {
        while (left-- > 0) await runEngine(rig.engine(), ...words);
      };
      // As many at once as there are processors: starting and stopping is what takes the time, and where it leaks it leaks all the same.
      await Promise.all(Array.from({ length: availableParallelism() }, one));
      await rig.engine().quiet();
    });
    const value = (await settled(rig)) - before;
    return [{ workload: 'churn.space', point: {}, reading: { value, ...metered } }];
  },
};

/** In how many pieces the file lies. filefrag asks with FIEMAP, which ZFS has not: there it is zdb that tells. */
async function fragmentsOf(rig: Rig, session: Session, path: string): Promise<number> {
  const { fragments } = rig.store;
  if (fragments === undefined) return figure(await session.call('fragments', { path }), 'count');
  // It reads the device past the filesystem: what is cached of that may be older than what is there.
  await rig.dropCaches();
  const [seen] = seenInContainers(path);
  if (seen === undefined) throw new Error(`no container has ${path}`);
  return fragments(seen.mount, seen.inode);
}

/** What is used once it does not become less any more: some filesystems free in the background. */
async function settled(rig: Rig): Promise<number> {
  let used = await rig.used();
  for (let time = 0; time < 10; time++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = await rig.used();
    if (now >= used) return now;
    used = now;
  }
  return used;
}

/** The file. */
export const fragmentsJob: Job = {
  id: 'fragments',
  series: ['fragments', 'read.before', 'read.after'].map((what) => ({
    workload: `churn.${what}`,
    point: {},
  })),
  run: async (rig, { time }) => {
    const path = `${ROOT}/fragments-${time}`;
    await using session = await rig.open();
    const found: Measured[] = [];
    const read = async (workload: string): Promise<void> => {
      await rig.dropCaches();
      const { answer, metered } = await meteredCall(rig, () => session.call('read-whole', { path }));
      found.push({ workload, point: {}, reading: readingOf(figure(answer, 'rate'), answer, metered) });
    };
    await session.call('make-file', { path, size: SIZE });
    await read('churn.read.before');
    // In several rounds, each on disk before the next: what is written at once is laid out at once.
    for (let round = 0; round < 8; round++)
      await session.call('overwrite', { path, count: OVERWRITES / 8, seed: round + 1 });
    found.push({
      workload: 'churn.fragments',
      point: {},
      reading: { value: await fragmentsOf(rig, session, path) },
    });
    await read('churn.read.after');
    await session.call('remove', { path });
    return found;
  },
};
