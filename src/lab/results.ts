/** What a command leaves in `/results`: an ext4 disk of the machine's, read here with e2fsprogs, so that it comes back after a panic or a kill as well. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { errorMessage, TsengineError } from '../errors.ts';
import { makeDirectories } from '../linux/files.ts';
import { removeTree } from '../linux/remove-tree.ts';
import type { LabContext } from './context.ts';
import { runProgram } from './run-program.ts';

/** How much fits. The file is sparse. */
const SIZE = '4G';

/** Makes the empty disk in `folder`. */
export async function makeResultsDisk(folder: string, context: LabContext): Promise<string> {
  const image = join(folder, 'results.ext4');
  const options = 'lazy_itable_init=1,lazy_journal_init=1,nodiscard';
  await runProgram('mke2fs', ['-q', '-F', '-t', 'ext4', '-m', '0', '-E', options, image, SIZE], {
    purpose: 'cannot make the disk for results',
    signal: context.signal,
  });
  return image;
}

/** Makes the folder that results are to go to, before anything else costs time, and sees that it can be written. */
export function makeResultsFolder(folder: string): void {
  try {
    makeDirectories(folder);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new TsengineError(
      'InvalidParameter',
      `results cannot be written to ${folder}: ${errorMessage(error)}`,
    );
  }
}

/** What debugfs says besides what is wrong, and what it cannot give files when we are not root. */
const HARMLESS = /^debugfs |^\s*$|Operation not permitted while changing ownership/;

/**
 * Copies what is on the disk into the folder, over what is there: what was written a second before a machine was killed is
 * there. What the folder has besides stays. `temporary` is a folder for files on the way.
 */
export async function collectResults(image: string, folder: string, temporary: string): Promise<void> {
  const purpose = `cannot copy the results to ${folder}`;
  // 1 and 2: what was wrong has been put right.
  await runProgram('e2fsck', ['-y', '-E', 'journal_only', image], { purpose, accepted: [0, 1, 2] });
  // debugfs does not write into folders that are there.
  const fresh = join(temporary, 'results');
  makeDirectories(fresh);
  const { stderr } = await runProgram('debugfs', ['-R', 'rdump / .', image], { purpose, cwd: fresh });
  const complaint = stderr.split('\n').find((line) => !HARMLESS.test(line));
  if (complaint !== undefined) throw new TsengineError('System', `${purpose}: ${complaint.trim()}`);
  removeTree(join(fresh, 'lost+found'));
  await runProgram('cp', ['-a', '--remove-destination', '--', `${fresh}/.`, folder], { purpose });
}
