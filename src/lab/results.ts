/** What a command leaves in `/results`: an ext4 disk of the machine's, read here by ourselves (ext4.ts), so that it comes back after a panic or a kill as well. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import { fchown } from '../linux/at.ts';
import { closeFile, makeDirectories, openFile } from '../linux/files.ts';
import type { LabContext } from './context.ts';
import { bringTree } from './results-tree.ts';
import { runProgram } from './run-program.ts';

/** What fits, for people. */
const ROOM = '4 GB and a million names';
/** Inodes, a few more after rounding; they take a quarter of a GB of the disk, and nothing of the file, which is sparse. */
const NAMES = '1000000';
/** With room beside what fits for inodes, the journal, folders, and what the kernel keeps for itself. */
const SIZE = '4608M';

/** All that the disk has, whatever this machine's mke2fs.conf says: ext4.ts must be able to read it. */
const FEATURES = [
  ...['none', 'has_journal', 'ext_attr', 'dir_index', 'filetype', 'extent', 'flex_bg', 'sparse_super'],
  ...['large_file', 'huge_file', 'dir_nlink', 'extra_isize', 'metadata_csum'],
].join(',');

/** Makes the empty disk in `folder`. */
export async function makeResultsDisk(folder: string, context: LabContext): Promise<string> {
  const image = join(folder, 'results.ext4');
  const options = 'lazy_itable_init=1,lazy_journal_init=1,nodiscard';
  const layout = ['-t', 'ext4', '-O', FEATURES, '-b', '4096', '-I', '256', '-m', '0', '-N', NAMES];
  await runProgram('mke2fs', ['-q', '-F', ...layout, '-E', options, image, SIZE], {
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

/** The user and group `nobody`. */
const NOBODY = 65534;

/**
 * Brings what is on the disk into the folder, over what is there: what was written a second before a machine was killed is
 * there. What the folder has besides stays. The image is the guest's work: see results-tree.ts for what is not taken over,
 * which is told in one line that is the answer; `undefined` when nothing was left. Fails with one line for what is damaged or
 * could not be written, and for a disk that was full, after all else is in the folder; and with the reason of `signal`.
 */
export async function collectResults(
  image: string,
  folder: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const purpose = `cannot copy the results to ${folder}`;
  const fail = (why: string): TsengineError => new TsengineError('System', `${purpose}: ${why}`);
  await replayJournal(image, purpose, signal);
  const { lost, left, isCut, isFull } = await bringTree(image, folder, signal).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw fail(errorMessage(error));
  });
  const full = `the machine's /results was full (${ROOM} fit), and ${folder} may lack what was written last`;
  if (lost.count > 0) {
    const cut = isCut ? ['that is too much, and no more was looked for'] : [];
    throw fail([lost.summary(), ...cut, ...(isFull ? [full] : [])].join('; '));
  }
  if (isFull) throw new TsengineError('System', full);
  return left.count === 0 ? undefined : `not copied to ${folder}: ${left.summary()}`;
}

/** With the rights of nobody where we have more, on a file that is already open: e2fsck is not made for images of an enemy. */
async function replayJournal(image: string, purpose: string, signal: AbortSignal | undefined): Promise<void> {
  const input = openFile(image, 'r+');
  try {
    const user = process.geteuid?.() === 0 && giveToNobody(input) ? NOBODY : undefined;
    await runProgram('e2fsck', ['-y', '-E', 'journal_only', '/proc/self/fd/0'], {
      purpose,
      // 1 and 2: what was wrong has been put right.
      accepted: [0, 1, 2],
      input,
      signal,
      ...(user === undefined ? {} : { user }),
    });
  } finally {
    closeFile(input);
  }
}

/** Whether the file could be given away: in a user namespace there may be no nobody. */
function giveToNobody(file: number): boolean {
  try {
    fchown(file, NOBODY, NOBODY);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'EPERM')) return false;
    throw error;
  }
}
