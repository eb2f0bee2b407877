/** What of an engine runs. */
import { readdirSync, readFileSync } from 'node:fs';

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

/** Whether the path stands in the word, and not only as the beginning of a longer name. */
function names(word: string, path: string): boolean {
  return word
    .split(path)
    .slice(1)
    .some((rest) => rest === '' || !/^[\w.-]/.test(rest));
}
