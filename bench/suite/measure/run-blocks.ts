/** All blocks of one machine, one after the other, each with its share of the time that is left. */
import type { BlockRequest } from './block-process.ts';
import type { Block } from './blocks.ts';
import { type BlockListener, isolatedBlock } from './isolated-block.ts';
import { noTime } from './no-time.ts';
import { Pace } from './pace.ts';
import { storeSize } from './room.ts';
import type { SubjectPlan } from './subjects.ts';

/** What is the same for all of them. */
export interface BlocksRequest
  extends Pick<
    BlockRequest,
    'extent' | 'workloads' | 'images' | 'tools' | 'owner' | 'seed' | 'at' | 'least'
  > {
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
  const pace = new Pace();
  const left = blocks.filter(({ id }) => !known.done.has(id));
  for (const [index, block] of left.entries()) {
    const { sizes, subjects, budgetMs, least, ...same } = request;
    const spent = performance.now() - started;
    const remaining = budgetMs - spent;
    if (pace.leastOf(block, subjects.length) >= remaining) {
      for (const { id } of subjects)
        listener.emit({
          ...{ event: 'failed', block: block.id, subject: id, job: null },
          reason: noTime(0, least),
        });
      continue;
    }
    listener.begins?.(block, spent / budgetMs);
    const weights = left.slice(index).reduce((sum, { weight }) => sum + weight, 0);
    // What takes its stores away comes after its last job.
    const hardMs = remaining - pace.tearDown;
    const watch = pace.begin(block);
    await isolatedBlock(
      {
        ...{ ...same, least, hardMs },
        block: block.id,
        ...(sizes === undefined ? {} : { sizes: [...sizes] }),
        subjects: [...subjects],
        size: storeSize(block, subjects),
        seed: (request.seed + index) >>> 0,
        softMs: Math.min(hardMs, (remaining * block.weight) / weights),
        known: known.values,
        givenUp: [...known.givenUp],
        at: request.at + spent,
      },
      {
        signal: listener.signal,
        emit: (event) => {
          watch.told(event.event);
          listener.emit(event);
        },
      },
    );
    watch.ended();
  }
}
