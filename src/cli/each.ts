import { errorMessage, TsengineError } from '../errors.ts';
import { printLine, ReaderGone } from './output.ts';

/** How failures of `forEachName` count. */
export interface EachOptions {
  /** What does not exist is reported and is no failure. */
  readonly missingIsFine?: boolean;
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
  for (const name of names) {
    try {
      await work(name);
      await printLine(name);
    } catch (error) {
      if (error instanceof ReaderGone) throw error;
      process.stderr.write(`tsengine: ${errorMessage(error)}\n`);
      const isMissing = error instanceof TsengineError && error.code === 'NotFound';
      if (isMissing && options.missingIsFine === true) continue;
      failed.push(name);
      process.exitCode = 1;
    }
  }
  return failed;
}
