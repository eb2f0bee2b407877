/**
 * Waiting until conmon has let us in. conmon looks at its descriptors, then does what they ask for, and looks for children
 * that have ended between the two the first time. A container that we let go right after we knocked at the attach socket may
 * be over by then on a busy machine: conmon that looked before we knocked hears of its end first, gives its output to
 * whoever is in, which is nobody, and leaves. One container of some hundreds lost all that it said.
 *
 * So conmon is given a line on its control fifo after we knocked. It serves the socket first, which it has had for longer:
 * when the line is taken, we are in. The line is of a kind that conmon does not know, and ignores.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { O_NONBLOCK, O_RDWR } from '../../linux/at.ts';
import { unreadBytes } from '../../linux/fifo.ts';
import { closeFile, openFile, writeAll } from '../../linux/files.ts';
import { isMonitored, type RunDir } from './run-dir.ts';

/** `type height width`: 1 is a new size of the terminal, 2 a new log (conmon's `ctrl.c`). */
const NOTHING = Buffer.from('0 0 0\n');
/** How often we look again at once: conmon takes a tenth of a millisecond when a processor is free. */
const QUICK_LOOKS = 20;
/** How often we look before we look whether it lives. */
const LOOKS = 200;

/** Waits until conmon has served whoever connected to it before this call. Returns as well when conmon is dead. */
export async function letConmonServe(run: RunDir): Promise<void> {
  // For reading as well: it must not wait for conmon to open it, nor fail when conmon is gone.
  const fd = openFile(run.control, O_RDWR | O_NONBLOCK);
  try {
    writeAll(fd, NOTHING);
    for (let look = 1; unreadBytes(fd) > 0; look += 1) {
      if (look % LOOKS === 0 && !isMonitored(run)) return;
      await (look < QUICK_LOOKS ? turn() : sleep(1));
    }
  } finally {
    closeFile(fd);
  }
}
