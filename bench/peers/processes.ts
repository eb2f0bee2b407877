/** What of an engine runs. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long what a command leaves working in the background may take, in milliseconds. */
const PATIENCE = 10_000;

/**
 * The processes that work on a data root, as `PID COMMAND`: those whose command line names it or something in it, in a
 * word of its own or in one like `--data-root=PATH`, which is what conmon starts when a container ends. conmon itself is
 * left out, which stands by a running container and has those words in its own.
 */
export function processesOf(dataRoot: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (!words.some((word) => names(word, dataRoot)) || /(^|\/)conmon$/.test(words[0] ?? '')) continue;
      found.push(`${pid} ${words.slice(0, 3).join(' ')}`);
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** Waits for what conmon starts when a container has ended, as long as that may take. */
export async function untilIdle(dataRoot: string): Promise<void> {
  for (let waited = 0; processesOf(dataRoot).length > 0 && waited < PATIENCE; waited += 10) await sleep(10);
}

/** Whether the path stands in the word, and not only as the beginning of a longer name. */
function names(word: string, path: string): boolean {
  return word
    .split(path)
    .slice(1)
    .some((rest) => rest === '' || !/^[\w.-]/.test(rest));
}
