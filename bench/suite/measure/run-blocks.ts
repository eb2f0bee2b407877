/** All blocks of one machine, one after the other, each with its share of the time that is left. */

import type { BlockRequest } from './block-process.ts';
import type { Block } from './blocks.ts';
import { type BlockListener, isolatedBlock } from './isolated-block.ts';
import { storeSize } from './room.ts';
import type { SubjectPlan } from './subjects.ts';

/** What is the same for all of them. */
export interface BlocksRequest
  extends Pick<BlockRequest, 'extent' | 'workloads' | 'images' | 'tools' | 'owner' | 'seed' | 'at'> {
  readonly sizes?: readonly number[] | undefined;
  readonly subjects: readonly SubjectPlan[];
  /** Milliseconds for all of it. */
  readonly budgetMs: number;
}

/** What an earlier run of the same found. */
export interface Known {
  readonly values: BlockRequest['known'];
  readonly givenUp: readonly string[];
  /** Blocks that were done. */
  readonly done: ReadonlySet<string>;
}

/** Told before each block, with the share of the whole that is done. */
export type BlockBegins = (block: Block, done: number) => void;

/** Runs them. A block for which no time is left is told as failed of all its subjects, with that reason. */
export async function runBlocks(
  blocks: readonly Block[],
  request: BlocksRequest,
  known: Known,
  listener: BlockListener & { begins?: BlockBegins },
): Promise<void> {
  const started = performance.now();
  // Of the stores of a block and its image, until its first job begins.
  let setUp = 0;
  const left = blocks.filter(({ id }) => !known.done.has(id));
  for (const [index, block] of left.entries()) {
    const spent = performance.now() - started;
    const remaining = request.budgetMs - spent;
    if (remaining <= setUp) {
      for (const subject of request.subjects)
        listener.emit({
          ...{ event: 'failed', block: block.id, subject: subject.id, job: null },
          reason: 'there was no time for it: give more with --budget',
        });
      continue;
    }
    listener.begins?.(block, spent / request.budgetMs);
    const weights = left.slice(index).reduce((sum, { weight }) => sum + weight, 0);
    const { sizes, subjects, budgetMs: _, ...same } = request;
    const begun = performance.now();
    let isSetUp = false;
    await isolatedBlock(
      {
        ...same,
        block: block.id,
        ...(sizes === undefined ? {} : { sizes: [...sizes] }),
        subjects: [...subjects],
        size: storeSize(block, subjects),
        seed: (request.seed + index) >>> 0,
        softMs: (remaining * block.weight) / weights,
        hardMs: remaining,
        known: known.values,
        givenUp: [...known.givenUp],
        at: request.at + spent,
      },
      {
        signal: listener.signal,
        emit: (event) => {
          if (event.event === 'begins' && !isSetUp) {
            isSetUp = true;
            setUp = performance.now() - begun;
          }
          listener.emit(event);
        },
      },
    );
  }
}
