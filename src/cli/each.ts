import { errorMessage, TsengineError } from '../errors.ts';
import { printLine, ReaderGone } from './output.ts';

/** How failures of `forEachName` count. */
export interface EachOptions {
  /** What does not exist is reported and is no failure. */
  readonly missingIsFine?: boolean;
  /** Whether the work for all begins at once. What is said of each comes in their order all the same. Default false. */
  readonly atOnce?: boolean;
}

/** As many as Docker's client works for at once. */
const MOST_AT_ONCE = 50;

/** Begins the work for each name, for the first of them at once and for each other when one more is done. */
function beginAll(names: readonly string[], work: (name: string) => Promise<void>): Promise<void>[] {
  const begun: Promise<void>[] = [];
  const begin = async (name: string): Promise<void> => {
    await Promise.allSettled(begun.slice(0, Math.max(0, begun.length - MOST_AT_ONCE + 1)));
    await work(name);
  };
  for (const name of names) {
    const done = begin(name);
    // It may fail before anybody comes to wait for it.
    done.catch(() => undefined);
    begun.push(done);
  }
  return begun;
}

/**
 * Does `work` for each name and prints the name when it is done, as Docker does: one failure does not keep the others
 * from their turn; each gives its line on standard error, and the exit code is 1 in the end. Gives the names that failed.
 */
export async function forEachName(
  names: readonly string[],
  work: (name: string) => Promise<void>,
  options: EachOptions = {},
): Promise<string[]> {
  const failed: string[] = [];
  const begun = options.atOnce === true ? beginAll(names, work) : [];
  for (const [index, name] of names.entries()) {
    try {
      await (begun[index] ?? work(name));
      await printLine(name);
    } catch (error) {
      if (error instanceof ReaderGone) {
        await Promise.allSettled(begun);
        throw error;
      }
      process.stderr.write(`tsengine: ${errorMessage(error)}\n`);
      if (isOfNothing(error) && options.missingIsFine === true) continue;
      failed.push(name);
      process.exitCode = 1;
    }
  }
  return failed;
}

/** Whether there is nothing of the name: what belongs to it may be missing as well, and that is a failure. */
function isOfNothing(error: unknown): boolean {
  return error instanceof TsengineError && error.code === 'NotFound' && /^No such /.test(error.message);
}
