import { errorMessage } from '../errors.ts';
import { printLine } from './output.ts';

/**
 * Does `work` for each name and prints the name when it is done, as Docker does: one failure does not keep the others
 * from their turn; each gives its line on standard error, and the exit code is 1 in the end.
 */
export async function forEachName(
  names: readonly string[],
  work: (name: string) => Promise<void>,
): Promise<void> {
  for (const name of names) {
    try {
      await work(name);
      await printLine(name);
    } catch (error) {
      process.stderr.write(`tsengine: ${errorMessage(error)}\n`);
      process.exitCode = 1;
    }
  }
}
