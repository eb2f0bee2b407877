import { cellKey } from '../lab/matrix/cells.ts';
import type { MatrixEvent } from '../lab/matrix/events.ts';
import type { MatrixListener } from '../lab/matrix/run-matrix.ts';

/** Progress of a matrix on standard error: a line for each cell that is done, and on a terminal one under them that says what runs. */
export interface MatrixProgress extends Disposable {
  readonly listener: MatrixListener;
  /** Takes the last line away. */
  clear(): void;
}

/** Where it is written. */
export type ProgressStream = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'>;

const nothing = (): void => undefined;

/** Shows it; `quiet` where nobody wants to hear of it. */
export function showMatrixProgress(quiet: boolean, stream: ProgressStream = process.stderr): MatrixProgress {
  if (quiet) {
    const listener = { begins: nothing, event: nothing, note: nothing, warns: nothing };
    return { listener, clear: nothing, [Symbol.dispose]: nothing };
  }
  return stream.isTTY ? onTerminal(stream) : inLines(stream);
}

/** Plain lines, for logs: jobs that say nothing for long are taken for dead. */
function inLines(stream: ProgressStream): MatrixProgress {
  let total = 0;
  let done = 0;
  const listener: MatrixListener = {
    begins: (all, known) => {
      total = all;
      done = known;
      if (known > 0) stream.write(`${knownText(all, known)}\n`);
    },
    event: (kernel, event) => {
      if (event.event === 'cell') stream.write(`[${++done}/${total}] ${cellText(kernel, event)}\n`);
    },
    note: (kernel, text) => {
      stream.write(`${kernel}  ${text}\n`);
    },
    warns: (text) => {
      stream.write(`${text}\n`);
    },
  };
  return { listener, clear: nothing, [Symbol.dispose]: nothing };
}

function onTerminal(terminal: ProgressStream): MatrixProgress {
  let total = 0;
  let done = 0;
  /** By kernel, and by what runs on it: a kernel may have several machines. */
  const running = new Map<string, Map<string, string>>();
  const begin = (kernel: string, what: string, text = what): void => {
    const own = running.get(kernel) ?? new Map<string, string>();
    own.delete(NOTE);
    running.set(kernel, own.set(what, text));
  };
  const end = (kernel: string, what: string): void => {
    running.get(kernel)?.delete(what);
    if (running.get(kernel)?.size === 0) running.delete(kernel);
  };
  const clear = (): void => {
    terminal.write('\r\x1b[K');
  };
  const draw = (): void => {
    const what = [...running].map(([kernel, texts]) => `${kernel}: ${[...texts.values()].join(' and ')}`);
    terminal.write(
      `\r\x1b[K${`[${done}/${total}] ${what.join(', ')}`.slice(0, (terminal.columns || 80) - 1)}`,
    );
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
      running.clear();
      if (known > 0) line(knownText(all, known));
      draw();
    },
    event: (kernel, event) => {
      if (event.event === 'begins') begin(kernel, cellKey(event));
      if (event.event === 'tries') begin(kernel, featuresKey(event.backing));
      if (event.event === 'features') end(kernel, featuresKey(event.backing));
      if (event.event === 'cell') {
        end(kernel, cellKey(event.cell));
        done++;
        line(cellText(kernel, event));
      } else draw();
    },
    note: (kernel, text) => {
      begin(kernel, NOTE, text);
      draw();
    },
    warns: line,
  };
  return { listener, clear, [Symbol.dispose]: clear };
}

/** What a kernel is told of until something runs on it. */
const NOTE = '';

function featuresKey(backing: string | null): string {
  return `features of ${backing ?? 'the kernel'}`;
}

function knownText(all: number, known: number): string {
  return `${known} of ${all} are known from an earlier run`;
}

function cellText(kernel: string, { cell }: Extract<MatrixEvent, { event: 'cell' }>): string {
  const { driver, backing, status, tests, seconds } = cell;
  const checks = tests.passed + tests.failed;
  const counted = checks === 0 ? '' : `, ${tests.passed} of ${checks} checks`;
  return `${kernel}  ${driver} on ${backing}: ${status}${counted}, ${seconds} s`;
}
