/**
 * Runs in a machine, from standard input: records as record.ts does, then cuts the power there, because only that kernel has
 * device-mapper. The pool is on loop files in the data root, so that its writes and those of the rest are of one log. Tells how
 * many cuts there were of which kind, and what is wrong.
 */
import { mkdirSync } from 'node:fs';
import { cutsOf, openBlockLog } from './block-log.ts';
import { checkCuts, type Looker } from './check.ts';
import type { CutTask } from './cut-task.ts';
import { poolFault, takeDown } from './devicemapper-pool.ts';
import { lookByEngine } from './engine-look.ts';
import { recorded } from './record.ts';

/** What is to be cut. The test sets it before this program's text. */
declare const TASK: CutTask;

const LOG = '/dev/lab/disk2';
/** In memory: the root of a machine is. */
const FOLDER = '/run/power-cut';

/** Uses the root, takes its pool down, and has the pool's own tools look at that. */
const looker: Looker = async (dataRoot, execRoot) => {
  try {
    const found = await lookByEngine(dataRoot, execRoot, TASK);
    takeDown(dataRoot);
    const fault = poolFault(dataRoot);
    if (fault !== undefined) throw new Error(fault);
    return found;
  } finally {
    takeDown(dataRoot);
  }
};

async function work(): Promise<void> {
  const looks = await recorded;
  using log = openBlockLog(LOG);
  mkdirSync(FOLDER);
  const all = cutsOf(log.entries, TASK.drawn);
  const cuts = all.filter(({ kind }, nth) => kind !== 'flush' || nth % TASK.oneFlushIn === 0);
  const recording = { driver: TASK.driver, filesystem: TASK.filesystem, log, looks, size: TASK.size };
  const faults = await checkCuts(recording, FOLDER, cuts, looker);
  const kinds = Object.groupBy(cuts, ({ kind }) => kind);
  const counts = Object.fromEntries(Object.entries(kinds).map(([kind, { length }]) => [kind, length]));
  console.log(JSON.stringify({ writes: log.entries.length, all: all.length, counts, faults }));
}
void work();
