/** Runs a workload in a process of its own, with namespaces of its own as a block of the suite has them. */
import { fileURLToPath } from 'node:url';
import { byLine } from '../src/lab/matrix/events.ts';
import { untilEnd } from '../src/lab/matrix/until-end.ts';
import { NODE_FLAGS } from '../src/node-flags.ts';
import { parseEventLine, type WorkloadEvent } from './events.ts';
import { startIsolated } from './suite/measure/isolated-block.ts';
import { removeThinPools } from './suite/stores/thin-pool.ts';
import { removeZpools } from './suite/stores/zpool.ts';
import type { WorkloadRequest } from './workload-process.ts';

const MAIN = fileURLToPath(new URL('workload-process.ts', import.meta.url));

/** No workload takes as long. */
const LIMIT_MS = 6 * 3_600_000;
/** How long a process that is killed may take to go: it unmounts, on a disk that may be slow. */
const GRACE_MS = 60_000;

/** Runs it and hands on what it tells. Throws where it does not come to its end, with the reason. */
export async function runIsolated(
  request: WorkloadRequest,
  signal: AbortSignal,
  emit: (event: WorkloadEvent) => void,
): Promise<void> {
  let [isDone, said] = [false, ''];
  let failure: string | undefined;
  const words = [process.execPath, ...NODE_FLAGS, MAIN, JSON.stringify(request)];
  const child = startIsolated(words, [request.images]);
  child.stdout.on(
    'data',
    byLine((line) => {
      const event = parseEventLine(line);
      if (event === undefined) return;
      if (event.event === 'done') isDone = true;
      if (event.event === 'failed') failure = event.reason;
      emit(event);
    }),
  );
  child.stderr.on(
    'data',
    byLine((line) => {
      if (line.trim() !== '') said = line.trim();
    }),
  );
  const ended = await untilEnd(child, { limitMs: LIMIT_MS, graceMs: GRACE_MS, signal });
  const warn = (text: string): void => emit({ event: 'progress', text });
  await removeThinPools(warn);
  await removeZpools(warn);
  signal.throwIfAborted();
  if (isDone) return;
  throw new Error(failure ?? [ended.trouble ?? 'its process ended without a result', said].join(': '));
}
