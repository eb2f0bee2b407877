/** A machine's console: its last lines, and what they say about why it ended. */
import { GAVE_UP } from './guest-init.ts';

/** Lines that are kept. */
const KEPT = 200;
/** Of these, how many may come after a panic: a kernel may print all its tasks and locks then, and what it began with is wanted. */
const AFTER_PANIC = 150;
/** The longest line that is kept whole. */
const LONGEST = 1000;

/** What steers a terminal. */
const CONTROL = new RegExp(`${String.fromCharCode(27)}(?:\\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|.)`, 'g');

/** All other control characters but the tab, C1's among them: the guest's lines are shown on a terminal, and as one line. */
const UNPRINTABLE = /(?!\t)\p{Cc}/gu;

/** What SeaBIOS writes last, and often without an end of the line: the kernel's first words come behind it. */
const FIRMWARE = /^Booting from [\w ]+\.{2,}/;

/** Why a kernel gave up, in its own line, with the time before it. */
const PANIC = /Kernel panic - not syncing: (.*)$/;

/** Whether a kernel gives up in this line. Nobody else's text begins with its time, unless somebody means it to. */
export function isPanic(line: string): boolean {
  return /^\[ *\d+\.\d+\] /.test(line) && PANIC.test(line);
}

/** Gathers what a console prints. */
export class ConsoleLog {
  readonly #lines: string[] = [];
  #open = '';
  /** How many lines came before the mark. */
  #marked = 0;
  #count = 0;
  /** How many more lines are kept, once there was a panic. */
  #left: number | undefined;

  /** Takes what has come, and gives the whole lines of it. */
  push(data: Buffer): readonly string[] {
    const lines = (this.#open + data.toString('latin1')).split('\n');
    this.#open = (lines.pop() ?? '').slice(-LONGEST);
    const telling = lines.map(plain).filter(isTelling);
    for (const line of telling) this.#keep(line);
    if (this.#lines.length > KEPT) this.#lines.splice(0, this.#lines.length - KEPT);
    return telling;
  }

  #keep(line: string): void {
    if (this.#left === 0) return;
    this.#lines.push(line);
    this.#count++;
    if (this.#left !== undefined) this.#left--;
    else if (isPanic(line)) this.#left = AFTER_PANIC;
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
    return [...this.#lines, ...(this.#left === 0 ? [] : [plain(this.#open)].filter(isTelling))];
  }
}

/** A line without what is for terminals. */
function plain(line: string): string {
  return line.replaceAll(CONTROL, '').replaceAll(UNPRINTABLE, '').replace(FIRMWARE, '').slice(0, LONGEST);
}

/** Not of the firmware, which every machine has. */
function isTelling(line: string): boolean {
  return line.trim() !== '' && !/^(SeaBIOS|iPXE)/.test(line);
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
  const panic = lines.map((line) => PANIC.exec(line)?.[1]).find(Boolean);
  if (panic !== undefined) {
    return {
      kind: /out of memory|no killable|deadlocked on memory/i.test(panic) ? 'memory' : 'panic',
      why: panic,
    };
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
