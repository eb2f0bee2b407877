import type { MatrixListener } from '../lab/matrix/run-matrix.ts';

/** Progress of a matrix on standard error: a line for each cell that is done, and under them one that says what runs. */
export interface MatrixProgress extends Disposable {
  readonly listener: MatrixListener;
  /** Takes the last line away. */
  clear(): void;
}

/** Shows it when standard error is a terminal; nothing at all else. */
export function showMatrixProgress(): MatrixProgress {
  const terminal = process.stderr;
  if (!terminal.isTTY) {
    const nothing = (): void => undefined;
    return {
      listener: { begins: nothing, event: nothing, note: nothing },
      clear: nothing,
      [Symbol.dispose]: nothing,
    };
  }
  let total = 0;
  let done = 0;
  const running = new Map<string, string>();
  const clear = (): void => {
    terminal.write('\r\x1b[K');
  };
  const draw = (): void => {
    const what = [...running].map(([kernel, text]) => `${kernel}: ${text}`).join(', ');
    terminal.write(`\r\x1b[K${`[${done}/${total}] ${what}`.slice(0, (terminal.columns || 80) - 1)}`);
  };
  const line = (text: string): void => {
    clear();
    terminal.write(`${text}\n`);
    draw();
  };
  const listener: MatrixListener = {
    begins: (all, known) => {
      total = all;
      done = known;
      if (known > 0) line(`${known} of ${all} are known from an earlier run`);
      draw();
    },
    event: (kernel, event) => {
      if (event.event === 'begins') running.set(kernel, `${event.driver} on ${event.backing}`);
      if (event.event === 'features') running.set(kernel, 'kernel features');
      if (event.event === 'end') running.delete(kernel);
      if (event.event === 'cell') {
        done++;
        const { driver, backing, status, tests, seconds } = event.cell;
        const checks = tests.passed + tests.failed;
        const counted = checks === 0 ? '' : `, ${tests.passed} of ${checks} checks`;
        line(`${kernel}  ${driver} on ${backing}: ${status}${counted}, ${seconds} s`);
      } else draw();
    },
    note: (kernel, text) => {
      running.set(kernel, text);
      draw();
    },
  };
  return { listener, clear, [Symbol.dispose]: clear };
}
