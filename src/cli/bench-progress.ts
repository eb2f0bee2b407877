import type { SuiteListener } from '../../bench/suite/measure/run-suite.ts';

/** Progress of a benchmark on standard error: on a terminal one line with the time that is left; notes stay. */
export interface BenchProgress extends Disposable {
  readonly listener: SuiteListener;
  /** Takes the line away. */
  clear(): void;
}

const nothing = (): void => undefined;

/** Shows it; into a pipe only notes go, and nothing at all when `quiet`. */
export function showBenchProgress(
  quiet: boolean,
  budgetMs: number,
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'> = process.stderr,
): BenchProgress {
  if (quiet) return { listener: { at: nothing, note: nothing }, clear: nothing, [Symbol.dispose]: nothing };
  const told = new Set<string>();
  const clear = (): void => {
    if (stream.isTTY) stream.write('\r\x1b[K');
  };
  return {
    listener: {
      at: (text, done) => {
        if (!stream.isTTY) return;
        const left = timeText(budgetMs * (1 - done));
        const line = `[${String(Math.round(done * 100)).padStart(3)} %, ${left} left at most] ${text}`;
        stream.write(`\r\x1b[K${line.slice(0, (stream.columns || 80) - 1)}`);
      },
      note: (line) => {
        // Of each subject it would be the same.
        if (told.has(line)) return;
        told.add(line);
        clear();
        stream.write(`tsengine: ${line}\n`);
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
