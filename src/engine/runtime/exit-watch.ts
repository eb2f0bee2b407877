import { watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathExists } from '../../linux/files.ts';
import { isMonitored, type RunDir } from './run-dir.ts';

/** How often we look without having been told, in milliseconds: the only way to notice that conmon was killed. */
const LOOK_EVERY = 500;
/** How long we look at every millisecond when the end is known to be near. */
const NEAR_END = 40;

function isOver(run: RunDir): boolean {
  return pathExists(run.exit) || !pathExists(run.path) || !isMonitored(run);
}

/**
 * Waits until a container's run is over: conmon wrote the exit file, or is dead, or everything was cleaned up already.
 * `near` says that its output has ended, so that the exit file is a matter of a millisecond. Returns early when `stop` is
 * aborted.
 */
export async function waitForExit(run: RunDir, near: boolean, stop?: AbortSignal): Promise<void> {
  for (let look = 0; near && look < NEAR_END; look += 1) {
    if (pathExists(run.exit)) return;
    await sleep(1);
  }
  if (isOver(run)) return;
  let wake: () => void = () => undefined;
  const watcher = watch(run.exits, () => wake());
  watcher.on('error', () => wake());
  stop?.addEventListener('abort', () => wake(), { once: true });
  try {
    while (!isOver(run) && stop?.aborted !== true) {
      const timer = new AbortController();
      const told = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await Promise.race([
        told,
        sleep(LOOK_EVERY, undefined, { signal: timer.signal }).catch(() => undefined),
      ]);
      timer.abort();
    }
  } finally {
    watcher.close();
  }
}
