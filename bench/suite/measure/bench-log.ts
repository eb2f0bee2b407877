/**
 * What a run has found so far, in a file of one JSON object a line, so that it goes on after Ctrl-C, a crash or a power cut. A line
 * that was cut off is as if it were not there. One run at a time has the file.
 */
import { appendFileSync } from 'node:fs';
import { TsengineError } from '../../../src/errors.ts';
import { cannotWriteOut, lockOutFolder } from '../../../src/lab/out-folder.ts';
import { shellWord } from '../../../src/linux/command.ts';
import { readTextIfAny, removeFile } from '../../../src/linux/files.ts';
import { type BenchEvent, eventLine, parseEventLine } from './events.ts';

const FILE = 'progress.jsonl';

/** The file, held. */
export interface BenchLog extends Disposable {
  /** What an unfinished run of the same conditions left, in order. */
  readonly known: readonly BenchEvent[];
  add(event: BenchEvent): void;
  /** The run is over and its result written: the file is not needed any more. */
  finish(): void;
}

/** What a run is; another one does not go on from its log. */
export interface RunIdentity {
  readonly conditions: string;
  readonly command: string;
  readonly started: string;
}

/**
 * Opens the file in `folder`, made when absent. With `fresh` what it holds is thrown away. Fails with `Conflict` while another run
 * has it, and when it is of another run that was not finished.
 */
export function openBenchLog(folder: string, run: RunIdentity, fresh: boolean): BenchLog {
  const path = `${folder}/${FILE}`;
  const lock = lockOutFolder(folder, 'benchmark');
  try {
    if (fresh) removeFile(path);
    const text = readTextIfAny(path) ?? '';
    const known = text.split('\n').flatMap((line) => parseEventLine(line) ?? []);
    const [first] = known;
    if (first?.event === 'run' && first.conditions !== run.conditions)
      throw new TsengineError(
        'Conflict',
        `${folder} holds a run that was not finished: go on with it by '${first.command} --out ${shellWord(folder)}', throw it away with --fresh, or name another folder with --out`,
      );
    const add = (event: BenchEvent): void => appendFileSync(path, eventLine(event));
    if (first === undefined) add({ event: 'run', ...run });
    // A line that was cut off must not spoil the next one.
    else if (!text.endsWith('\n')) appendFileSync(path, '\n');
    return {
      known: first === undefined ? [] : known,
      add,
      finish: () => removeFile(path),
      [Symbol.dispose]: () => lock[Symbol.dispose](),
    };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error instanceof TsengineError && error.code === 'Conflict' ? error : cannotWriteOut(error);
  }
}
