import type { Progress, ProgressStep } from '../engine/api/services.ts';

/** Progress that is shown, and taken away again when disposed of. */
export interface ShownProgress extends Disposable {
  readonly report: Progress;
  /** Takes the line away, so that something else can be printed. */
  clear(): void;
}

/** Milliseconds between two looks of the same line. */
const INTERVAL = 100;

/**
 * Shows one line on standard error that says how far the work has come; nothing at all when that is no terminal or when
 * `quiet`.
 */
export function showProgress(quiet = false): ShownProgress {
  const terminal = process.stderr;
  if (quiet || !terminal.isTTY) {
    return { report: () => undefined, clear: () => undefined, [Symbol.dispose]: () => undefined };
  }
  let last = 0;
  let shown = false;
  const clear = () => {
    if (shown) terminal.write('\r\x1b[K');
    shown = false;
  };
  return {
    report: (step) => {
      const now = performance.now();
      if (now - last < INTERVAL) return;
      last = now;
      shown = true;
      terminal.write(`\r\x1b[K${progressLine(step, terminal.columns)}`);
    },
    clear,
    [Symbol.dispose]: clear,
  };
}

/** `Loading layer 8d1ae4cf [=====>    ] 12.3MB/29.1MB`, cut to the terminal's width. */
export function progressLine(step: ProgressStep, columns: number): string {
  const head = `${step.action} ${step.id}`;
  const counted =
    step.total === undefined
      ? megabytes(step.current)
      : `${megabytes(step.current)}/${megabytes(step.total)}`;
  const room = Math.min(50, columns - head.length - counted.length - 5);
  if (step.total === undefined || step.total === 0 || room < 10)
    return `${head} ${counted}`.slice(0, columns);
  const filled = Math.floor(Math.min(1, step.current / step.total) * room);
  const bar = `${'='.repeat(Math.max(0, filled - 1))}${filled > 0 ? '>' : ''}`.padEnd(room);
  return `${head} [${bar}] ${counted}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)}MB`;
}
