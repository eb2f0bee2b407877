/** The folder of `--out`: one run at a time works in it. */
import { errorMessage, TsengineError } from '../errors.ts';
import { makeDirectories } from '../linux/files.ts';
import { type Lock, tryLockFile } from '../linux/flock.ts';

/** Takes the folder, made when absent. Fails with `Conflict` while another run has it; `what` it is a run of. */
export function lockOutFolder(folder: string, what: string): Lock {
  let lock: Lock | undefined;
  try {
    makeDirectories(folder);
    lock = tryLockFile(`${folder}/.lock`, 'exclusive', { ephemeral: true });
  } catch (error) {
    throw cannotWriteOut(error);
  }
  if (lock !== undefined) return lock;
  throw new TsengineError(
    'Conflict',
    `another run of the ${what} works in ${folder}: wait for it, or name another folder with --out`,
  );
}

/** The error for a folder that cannot be written to. */
export function cannotWriteOut(error: unknown): TsengineError {
  return new TsengineError('InvalidParameter', `cannot write to --out: ${errorMessage(error)}`, {
    cause: error,
  });
}
