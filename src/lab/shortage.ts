/** What a machine was short of when its command failed, as its agent tells it. */
import { printablePath } from '../linux/path.ts';

/** The first of them in words: a guest may say what it likes. */
function few(names: readonly string[]): string {
  const more = names.length > 5 ? `, and ${names.length - 5} more` : '';
  return names.length === 0
    ? ''
    : `${names
        .slice(0, 5)
        .map((name) => name.slice(0, 256))
        .join(', ')}${more}`;
}

/**
 * The line on it; `undefined` where nothing was used up. `lacking`: `m` and the name of a process that was killed for want of
 * memory, `d` and where a full disk is mounted. `memory` is the machine's, in bytes.
 */
export function shortageOf(lacking: readonly string[], memory: number): string | undefined {
  const of = (kind: string): string =>
    few(lacking.flatMap((what) => (what.startsWith(kind) ? [printablePath(what.slice(1))] : [])));
  const [killed, fullDisks] = [of('m'), of('d')];
  const size = `${Math.floor(memory / 2 ** 20)} MiB`;
  if (killed !== '')
    return `the machine's ${size} of memory were used up, and its kernel killed ${killed}: give it more with --memory`;
  return fullDisks === '' ? undefined : `the machine's disk at ${fullDisks} was full`;
}
