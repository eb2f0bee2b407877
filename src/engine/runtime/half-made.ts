/**
 * What a start leaves when the process behind it dies in its middle. conmon goes on by itself, and with it the runtime: a
 * container comes to be that nobody will ever let go. Whoever cleans up ends them first, or they would fill the folders
 * that he empties.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { TsengineError } from '../../errors.ts';
import { commandLine, killIfAny, processIds } from '../../linux/processes.ts';
import type { RunDir } from './run-dir.ts';

/** How long killed processes may take to be gone, and between two looks. Milliseconds. */
const PATIENCE = 5000;
const LOOK = 2;

/** conmon and the runtime are told the bundle, which is the run folder, by these words; nothing else is. */
function makesContainer(pid: number, { path }: RunDir): boolean {
  const words = commandLine(pid);
  return words[words.indexOf('--bundle') + 1] === path;
}

/** Kills conmon and the runtime, as far as they still make the run's container, and waits until they are gone. Fails with `System` when they do not go. */
export async function endMakers(run: RunDir): Promise<void> {
  for (const end = Date.now() + PATIENCE; ; await sleep(LOOK)) {
    const makers = processIds().filter((pid) => makesContainer(pid, run));
    const [first] = makers;
    if (first === undefined) return;
    if (Date.now() > end) {
      throw new TsengineError('System', `process ${first}, which makes container ${run.id}, does not end`);
    }
    for (const pid of makers) killIfAny(pid);
  }
}
