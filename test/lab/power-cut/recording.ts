/** Records a data root at work in a machine whose kernel logs every write. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as z from 'zod/mini';
import { smallRootfs } from '../../e2e/no-loss/operations.ts';
import { dockerArchive, makeImage, manyLayers } from '../../helpers/images.ts';
import { guestProgram, onceText } from '../guest-program.ts';
import { succeedsInMachine } from '../in-machine.ts';
import { openBlockLog } from './block-log.ts';
import type { Recording } from './check.ts';
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

const program = resolve(import.meta.dirname, 'record.ts');

/** The program that runs in the machine, as one text with its task. */
function programText(task: RecordTask): string {
  const first = makeImage(manyLayers(2));
  const second = makeImage([...first.layers.slice(0, 1), ...manyLayers(1, 'second')]);
  const archives = {
    'small.tar': smallRootfs().toString('base64'),
    'first.tar': dockerArchive([{ image: first, tags: ['first:1'] }]).toString('base64'),
    'second.tar': dockerArchive([{ image: second, tags: ['second:1'] }]).toString('base64'),
  };
  return guestProgram(program, `const TASK = ${JSON.stringify({ ...task, archives })};`);
}

/** Records, and brings the log to `folder`. Throws with what the machine said when something fails in it. */
export async function record(task: RecordTask, folder: string): Promise<Recording> {
  await succeedsInMachine({
    command: ['node', '-'],
    stdin: onceText(programText(task)),
    disks: [DISK, LOG],
    timeoutMs: 1_200_000,
    results: folder,
  });
  execFileSync('gunzip', ['-k', `${folder}/log.gz`]);
  const looks = z.array(lookSchema).parse(JSON.parse(readFileSync(`${folder}/looks.json`, 'utf8')));
  return { ...task, log: openBlockLog(`${folder}/log`), looks, size: DISK };
}
