/** A machine's console: its last lines, and what they say about why it ended. */
import { GAVE_UP } from './guest-init.ts';

/** Lines that are kept. */
const KEPT = 200;
/** The longest line that is kept whole. */
const LONGEST = 1000;

/** What steers a terminal. */
const CONTROL = new RegExp(`${String.fromCharCode(27)}(?:\\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|.)`, 'g');

/** All other control characters but the tab, C1's among them: the guest's lines are shown on a terminal, and as one line. */
const UNPRINTABLE = /(?!\t)\p{Cc}/gu;

/** Gathers what a console prints. */
export class ConsoleLog {
  readonly #lines: string[] = [];
  #open = '';

  push(data: Buffer): void {
    const lines = (this.#open + data.toString('latin1')).split('\n');
    this.#open = (lines.pop() ?? '').slice(-LONGEST);
    this.#lines.push(...lines.map(plain).filter(isTelling));
    if (this.#lines.length > KEPT) this.#lines.splice(0, this.#lines.length - KEPT);
  }

  /** The lines that are kept, the last one last. */
  lines(): readonly string[] {
    return [...this.#lines, ...[plain(this.#open)].filter(isTelling)];
  }
}

/** A line without what is for terminals. */
function plain(line: string): string {
  return line.replaceAll(CONTROL, '').replaceAll(UNPRINTABLE, '').slice(0, LONGEST);
}

/** Not of the firmware, which every machine has. */
function isTelling(line: string): boolean {
  return line.trim() !== '' && !/^(SeaBIOS|Booting from|iPXE)/.test(line);
}

/** What a console tells. */
export interface ConsoleVerdict {
  readonly kind: 'panic' | 'memory' | 'gave-up';
  /** The words after the marker. */
  readonly why: string;
}

/** Why the machine ended, as its console has it; `undefined` when it does not say. */
export function consoleVerdict(lines: readonly string[]): ConsoleVerdict | undefined {
  const gaveUp = lines.findLast((line) => line.startsWith(GAVE_UP));
  if (gaveUp !== undefined) return { kind: 'gave-up', why: gaveUp.slice(GAVE_UP.length).trim() };
  const panic = lines.map((line) => /Kernel panic - not syncing: (.*)$/.exec(line)?.[1]).find(Boolean);
  if (panic !== undefined) {
    return { kind: /out of memory|no killable/i.test(panic) ? 'memory' : 'panic', why: panic };
  }
  return undefined;
}

/** The programs that the kernel killed because the machine's memory was used up; not those that a cgroup's limit ended. */
export function killedForMemory(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => {
    const name = /(?:^|\] )Out of memory: Killed process \d+ \(([^)]*)\)/.exec(line)?.[1];
    return name === undefined ? [] : [name];
  });
}

/** The last lines for an error of one line. */
export function lastWords(lines: readonly string[], count = 3): string {
  const last = lines.slice(-count).map((line) => line.replace(/^\[ *[0-9.]+\] */, '').trim());
  return last.length === 0 ? 'its console stayed empty' : `its console ended with: ${last.join(' | ')}`;
}
