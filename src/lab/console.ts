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
  /** How many lines came before the mark. */
  #marked = 0;
  #count = 0;

  /** Takes what has come, and gives the whole lines of it. */
  push(data: Buffer): readonly string[] {
    const lines = (this.#open + data.toString('latin1')).split('\n');
    this.#open = (lines.pop() ?? '').slice(-LONGEST);
    const telling = lines.map(plain).filter(isTelling);
    this.#count += telling.length;
    this.#lines.push(...telling);
    if (this.#lines.length > KEPT) this.#lines.splice(0, this.#lines.length - KEPT);
    return telling;
  }

  /** What comes from now on is of what runs in the machine, and not of its start. */
  mark(): void {
    this.#marked = this.#count;
  }

  /** The lines that are kept and came after the mark. */
  sinceMark(): readonly string[] {
    const all = this.lines();
    const open = all.length - this.#lines.length;
    const count = this.#count - this.#marked + open;
    return count === 0 ? [] : all.slice(-count);
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

/** What kernels say of themselves when something is wrong with them that they survive, or with a process for want of memory. */
const TROUBLE =
  /\b(?:BUG|WARNING|Oops|KASAN|UBSAN)\b.*:|blocked for more than|soft lockup|hung task|Out of memory: Killed|INFO: rcu/;

/** Whether a kernel says so in this line. */
export function isTrouble(line: string): boolean {
  return TROUBLE.test(line);
}

/** Lines of a console that are shown of a machine that failed. */
const SHOWN = 20;

/** What a panic or the like begins with: what comes before a trace says more than its end. */
const BEGINS = /Kernel panic - |\bBUG: |\bOops: |general protection fault|sysrq: Trigger a crash/;

/** The lines that people are shown: the last ones, or all from where a panic or an oops began. */
export function toBeShown(lines: readonly string[]): readonly string[] {
  const begin = lines.findIndex((line) => BEGINS.test(line));
  return lines.slice(begin < 0 ? -SHOWN : Math.min(begin, Math.max(0, lines.length - SHOWN)));
}

/** The last lines for an error of one line. */
export function lastWords(lines: readonly string[], count = 3): string {
  const last = lines.slice(-count).map((line) => line.replace(/^\[ *[0-9.]+\] */, '').trim());
  return last.length === 0 ? 'its console stayed empty' : `its console ended with: ${last.join(' | ')}`;
}
