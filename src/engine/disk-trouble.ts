/** What is told of an error whose cause is the disk below a data root: full, or not to be written. */
import { statSync } from 'node:fs';
import { errorMessage, firstError, TsengineError } from '../errors.ts';
import { SyscallError } from '../linux/errno.ts';
import { programOn } from './own-command.ts';
import { onReadOnlyDisk, type RootPaths } from './root.ts';

/** Where the engine was at work. */
export interface Workplace {
  readonly root: RootPaths;
  readonly driverName: string;
  /** The command changes nothing in the data root. */
  readonly onlyReads: boolean;
}

/**
 * The error with the data root's name and the way out, where its disk is the cause and nobody has said so yet: then it ends with the
 * kernel's words. Any other is given back as it is.
 */
export function explainDisk(error: unknown, place: Workplace): unknown {
  const message = errorMessage(error);
  const failed = failedCall(error);
  if (failed === undefined || !isLastWord(message, failed) || isElsewhere(failed, place)) return error;
  if (failed.code === 'EROFS') return onReadOnlyDisk(place.root.path, place.onlyReads, error);
  // What only reads writes its answer, which is somewhere else.
  if (failed.code !== 'ENOSPC' || place.onlyReads) return error;
  const { code, exitCode } = kindOf(error);
  return new TsengineError(code, `${message}: ${fullText(place)}`, {
    cause: error,
    ...(exitCode === undefined ? {} : { exitCode }),
  });
}

/** The system call that failed in the beginning. */
function failedCall(error: unknown): SyscallError | undefined {
  for (let at = firstError(error); at instanceof Error; at = firstError(at.cause))
    if (at instanceof SyscallError) return at;
  return undefined;
}

/** Whether nothing of ours follows on the kernel's words; the name of the call may. */
function isLastWord(message: string, { reason, syscall }: SyscallError): boolean {
  return [`: ${reason}`, `: ${reason} (${syscall})`].some((end) => message.endsWith(end));
}

/** Names without a folder before them are of files in layers. */
function isElsewhere({ path }: SyscallError, { root }: Workplace): boolean {
  const name = path?.toString() ?? '';
  return name.startsWith('/') && !name.startsWith(`${root.path}/`);
}

function kindOf(error: unknown): Pick<TsengineError, 'code' | 'exitCode'> {
  const first = firstError(error);
  return first instanceof TsengineError ? first : { code: 'System', exitCode: undefined };
}

function fullText({ root, driverName }: Workplace): string {
  const home = root.driverHome(driverName);
  const deviceOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.dev;
  const own = deviceOf(home);
  const folder = own === undefined || own === deviceOf(root.path) ? `data root ${root.path}` : home;
  return `the file system of ${folder} is full: remove what is not needed (${programOn(root)} system prune, rm, rmi), or make it larger`;
}
