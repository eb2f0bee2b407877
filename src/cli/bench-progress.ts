import type { SuiteListener } from '../../bench/suite/measure/run-suite.ts';
import { printablePath } from '../linux/path.ts';

/** Progress of a benchmark on standard error: on a terminal one line with the time that is left; notes stay. */
export interface BenchProgress extends Disposable {
  readonly listener: SuiteListener;
  /** Takes the line away. */
  clear(): void;
}

const nothing = (): void => undefined;

/** Between two lines into a pipe, in milliseconds: somebody who looks at the log of a job sees that it goes on. */
const PAUSE = 60_000;

/** Shows it; into a pipe a line each minute, beside the notes, and nothing at all when `quiet`. */
export function showBenchProgress(
  quiet: boolean,
  budgetMs: number,
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'> = process.stderr,
  now: () => number = () => performance.now(),
): BenchProgress {
  if (quiet) return { listener: { at: nothing, note: nothing }, clear: nothing, [Symbol.dispose]: nothing };
  const told = new Set<string>();
  let last = Number.NEGATIVE_INFINITY;
  const clear = (): void => {
    if (stream.isTTY) stream.write('\r\x1b[K');
  };
  return {
    listener: {
      at: (text, done) => {
        // What is begun after the time is over is not begun with less than none left.
        const share = Math.min(1, Math.max(0, done));
        const where = `${String(Math.round(share * 100)).padStart(3)} %, ${timeText(budgetMs * (1 - share))} left at most`;
        const what = printablePath(text);
        if (stream.isTTY) {
          stream.write(`\r\x1b[K${`[${where}] ${what}`.slice(0, (stream.columns || 80) - 1)}`);
        } else if (now() - last >= PAUSE) {
          last = now();
          stream.write(`tsengine: ${where.trimStart()}: ${what}\n`);
        }
      },
      note: (line) => {
        // Of each subject it would be the same.
        if (told.has(line)) return;
        told.add(line);
        clear();
        // Of what is told some is what other programs said.
        stream.write(`tsengine: ${printablePath(line)}\n`);
      },
    },
    clear,
    [Symbol.dispose]: clear,
  };
}

function timeText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
