/**
 * A machine that is translated by QEMU 7.2 never gets to the first line of its kernel or its agent once in some hundreds of
 * starts: all its processors are busy for ever, and nothing is wrong with the kernel. Such a start is given up, and made again. It is
 * told by the processor time that QEMU has taken, which a busy host does not add to.
 */
import { readFileSync } from 'node:fs';

/** Many times what a machine with systemd takes. Seconds of processor time. */
const LONGEST_START = 180;
/** How often it is looked at, in milliseconds. */
const PERIOD = 5000;
/** What /proc counts in, on every architecture: parts of a second. */
const TICKS = 100;

/** How often a machine is started at the most. */
export const STARTS = 3;

/** A start that was given up. */
export class StuckStart extends Error {}

/** Looks at a process until it is stopped. */
export class StartWatch {
  readonly #timer: NodeJS.Timeout;

  /** Calls `onStuck`, once, when the process has taken so many seconds of processor time. */
  constructor(pid: number, onStuck: () => void, longest = LONGEST_START, period = PERIOD) {
    this.#timer = setInterval(() => {
      if (processorSeconds(pid) < longest) return;
      this.stop();
      onStuck();
    }, period);
  }

  /** Idempotent. */
  stop(): void {
    clearInterval(this.#timer);
  }
}

/** utime and stime are the 12th and 13th field after the name, which is in brackets (proc(5)). 0 of a process that is gone. */
function processorSeconds(pid: number): number {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return 0;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
