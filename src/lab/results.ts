/** What a command leaves in `/results`: an ext4 disk of the machine's, read here with e2fsprogs, so that it comes back after a panic or a kill as well. */
import { join } from 'node:path';
import { TsengineError } from '../errors.ts';
import { makeDirectories } from '../linux/files.ts';
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

/** Makes the folder that results are to go to, before anything else costs time. */
export function makeResultsFolder(folder: string): void {
  try {
    makeDirectories(folder);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TsengineError('InvalidParameter', `cannot make the folder for results ${folder}: ${why}`);
  }
}

/** Copies what is on the disk into the folder: what was written a second before a machine was killed is there. */
export async function collectResults(image: string, folder: string): Promise<void> {
  const purpose = `cannot copy the results to ${folder}`;
  // 1 and 2: what was wrong has been put right.
  await runProgram('e2fsck', ['-y', '-E', 'journal_only', image], { purpose, accepted: [0, 1, 2] });
  const { stderr } = await runProgram('debugfs', ['-R', 'rdump / .', image], { purpose, cwd: folder });
  const complaint = stderr.split('\n').find((line) => line.trim() !== '' && !line.startsWith('debugfs '));
  if (complaint !== undefined) throw new TsengineError('System', `${purpose}: ${complaint.trim()}`);
}
