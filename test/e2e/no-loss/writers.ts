/** The operations that write a file outside of the roots. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { CONTAINER_OPERATIONS, IMAGE_OPERATIONS, type Operation } from './operations.ts';
import type { Ended, Stage } from './stage.ts';

/** What a writer writes, and what it should: the same from a run that nothing disturbed. */
const OUTPUT = 'saved.tar';
const WHOLE = 'whole.tar';

/** A command that writes a file into a folder of its own, which is empty each time. */
function writer(name: string, prepare: (stage: Stage) => Promise<unknown>, of: string): Operation {
  return {
    name: `${name} -o`,
    prepare: async (stage) => {
      await prepare(stage);
      await stage.ok([name, '-o', `${stage.base}/${WHOLE}`, of]);
    },
    each: async ({ base }) => {
      rmSync(`${base}/out`, { recursive: true, force: true });
      mkdirSync(`${base}/out`);
    },
    words: ({ base }) => [name, '-o', `${base}/out/${OUTPUT}`, of],
  };
}

/** `save -o` and `export -o`: the roots stay as they are, and the file is there whole or not at all: see `checkWritten`. */
export const WRITERS: readonly Operation[] = [
  writer('save', async (stage) => await IMAGE_OPERATIONS[0]?.prepare(stage), 'first:1'),
  writer(
    'export',
    async (stage) => await CONTAINER_OPERATIONS.find(({ name }) => name === 'rm')?.prepare(stage),
    'one',
  ),
];

/** Fails unless a writer's file is there whole, or is not there and need not be, with nothing beside it. */
export function checkWritten({ base }: Stage, { code }: Ended, at: string): void {
  const left = readdirSync(`${base}/out`);
  if (code !== 0 && left.length === 0) return;
  assert.deepEqual(left, [OUTPUT], at);
  const [written, whole] = [OUTPUT, `../${WHOLE}`].map((name) => readFileSync(`${base}/out/${name}`));
  assert.ok(whole !== undefined && written?.equals(whole), `${at}: the file is not whole`);
}
