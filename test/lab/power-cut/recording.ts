/** Records a data root at work in a machine whose kernel logs every write. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as z from 'zod/mini';
import { smallRootfs } from '../../e2e/no-loss/operations.ts';
import { dockerArchive, makeImage, manyLayers } from '../../helpers/images.ts';
import { guestProgram, onceText } from '../guest-program.ts';
import { succeedsInMachine } from '../in-machine.ts';
import { type DrawnCuts, openBlockLog } from './block-log.ts';
import type { Recording } from './check.ts';
import type { CutTask, RecordingTask } from './cut-task.ts';
import { lookSchema } from './look.ts';

/** What is recorded. */
export interface RecordTask {
  readonly filesystem: 'ext4' | 'xfs' | 'btrfs';
  readonly driver: 'overlay2' | 'vfs' | 'btrfs';
}

const MIB = 1024 * 1024;
/** XFS makes none below 300 MB. */
const DISK = 320 * MIB;
const LOG = 2048 * MIB;

/** What the machine works with. */
function archives(): RecordingTask['archives'] {
  const first = makeImage(manyLayers(2));
  const second = makeImage([...first.layers.slice(0, 1), ...manyLayers(1, 'second')]);
  return {
    'small.tar': smallRootfs().toString('base64'),
    'first.tar': dockerArchive([{ image: first, tags: ['first:1'] }]).toString('base64'),
    'second.tar': dockerArchive([{ image: second, tags: ['second:1'] }]).toString('base64'),
  };
}

/** A program that runs in the machine, as one text with its task. */
function programText(name: string, task: RecordingTask): string {
  return guestProgram(resolve(import.meta.dirname, name), `const TASK = ${JSON.stringify(task)};`);
}

/** Records, and brings the log to `folder`. Throws with what the machine said when something fails in it. */
export async function record(task: RecordTask, folder: string): Promise<Recording> {
  await succeedsInMachine({
    command: ['node', '-'],
    stdin: onceText(programText('record.ts', { ...task, options: [], archives: archives() })),
    disks: [DISK, LOG],
    timeoutMs: 1_200_000,
    results: folder,
  });
  execFileSync('gunzip', ['-k', `${folder}/log.gz`]);
  const looks = z.array(lookSchema).parse(JSON.parse(readFileSync(`${folder}/looks.json`, 'utf8')));
  return { ...task, log: openBlockLog(`${folder}/log`), looks, size: DISK };
}

const cutSchema = z.object({
  writes: z.number(),
  all: z.number(),
  counts: z.record(z.string(), z.number()),
  faults: z.array(z.string()),
});

/** Records devicemapper on loop files and cuts its power, all in one machine: see devicemapper.ts. */
export async function cutDevicemapper(
  drawn: DrawnCuts,
  oneFlushIn: number,
): Promise<z.infer<typeof cutSchema>> {
  const task: CutTask = {
    ...{ driver: 'devicemapper', filesystem: 'ext4', size: DISK, drawn, oneFlushIn, archives: archives() },
    options: [
      'dm.fs=ext4',
      'dm.loopdatasize=192M',
      'dm.loopmetadatasize=4M',
      'dm.basesize=64M',
      'dm.min_free_space=0%',
    ],
  };
  const { stdout } = await succeedsInMachine({
    command: ['node', '-'],
    stdin: onceText(programText('devicemapper.ts', task)),
    disks: [DISK, LOG],
    memory: 3072 * MIB,
    timeoutMs: 7_200_000,
  });
  return cutSchema.parse(JSON.parse(stdout));
}
