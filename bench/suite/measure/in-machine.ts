/** The inside of a virtual machine: blocks, with the stores on a disk that is there for them. */
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as z from 'zod/mini';
import { runTool } from '../../../src/lab/matrix/tool.ts';
import { MNT_DETACH, unmount } from '../../../src/linux/mount.ts';
import { once } from '../../../src/once.ts';
import { blockRequestSchema } from './block-process.ts';
import { blocksOf } from './blocks.ts';
import type { BenchEvent } from './events.ts';
import { describeMachine } from './machine.ts';
import { runBlocks } from './run-blocks.ts';

/** The schema of what is asked for, as JSON. */
export const machineRequestSchema = once(() => {
  const { extent, sizes, workloads, subjects, tools, seed, at, least, known, givenUp } =
    blockRequestSchema().shape;
  return z.object({
    ...{ extent, sizes, workloads, subjects, tools, seed, at, least, known, givenUp },
    blocks: z.array(z.string()),
    budgetMs: z.number(),
    id: z.string(),
  });
});

/** See `machineRequestSchema`. */
export type MachineBenchRequest = z.infer<ReturnType<typeof machineRequestSchema>>;

/** Runs the blocks of the request, as JSON, and writes what happens. The disk, if any, is formatted and belongs to the call. */
export async function runInThisMachine(
  text: string,
  disk: string | undefined,
  write: (event: BenchEvent) => void,
): Promise<void> {
  const request = machineRequestSchema().parse(JSON.parse(text));
  const folder = mkdtempSync(`${tmpdir()}/tsengine-bench-`);
  const mounted = disk !== undefined && existsSync(disk);
  if (mounted) {
    runTool('mkfs.ext4', ['-q', '-F', disk], 'e2fsprogs');
    runTool('mount', ['-t', 'ext4', disk, folder], 'mount');
  }
  try {
    write({ event: 'machine', machine: describeMachine(request.id, folder) });
    const { blocks, known, givenUp, id: _, ...same } = request;
    await runBlocks(
      blocksOf(request).filter(({ id }) => blocks.includes(id)),
      { ...same, images: folder, owner: process.pid },
      { values: known, givenUp, done: new Set() },
      { signal: undefined, emit: write },
    );
  } finally {
    if (mounted) unmount(folder, MNT_DETACH);
    rmdirSync(folder);
  }
}
