/** Running the programs that make filesystems. */
import { spawnSync } from 'node:child_process';
import { errorMessage, hasErrno, LackingHereError, TsengineError } from '../../errors.ts';
import { notInstalled, programEnv } from '../run-program.ts';

/** Most time one of them may take, in milliseconds: a mount that hangs must not hold up the rest. */
const PATIENCE = 300_000;

/**
 * Runs a program to its end and gives its standard output. Fails with a `LackingHereError` when it is not there, with `System` when it says no or hangs;
 * `refusal` is what its saying no means, where that is more than it says itself.
 */
export function runTool(
  program: string,
  args: readonly string[],
  debianPackage: string,
  refusal?: string,
): string {
  const ended = spawnSync(program, [...args], {
    encoding: 'utf8',
    env: programEnv(),
    timeout: PATIENCE,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (hasErrno(ended.error, 'ENOENT')) throw missingTool(program, debianPackage);
  if (hasErrno(ended.error, 'ETIMEDOUT')) {
    throw new TsengineError('System', `${program} was not done after ${PATIENCE / 1000} s`);
  }
  if (ended.error !== undefined) throw ended.error;
  if (ended.status !== 0) {
    const why = refusal ?? `${program}: ${saying(ended.stderr, ended.stdout)}`;
    throw new TsengineError('System', why);
  }
  return ended.stdout;
}

/** A program that is not installed, with the package that has it. */
export function missingTool(program: string, debianPackage: string): LackingHereError {
  return new LackingHereError(notInstalled(program, debianPackage));
}

/** `runTool` of a program that asks nothing of the kernel but files: whatever it fails of is a `LackingHereError`. */
export function runFileTool(program: string, args: readonly string[], debianPackage: string): void {
  try {
    runTool(program, args, debianPackage);
  } catch (error) {
    throw error instanceof LackingHereError ? error : new LackingHereError(errorMessage(error), error);
  }
}

/** The first line that says something, without the program's name before it and the advice after it. */
function saying(...texts: readonly string[]): string {
  const lines = texts.flatMap((text) => text.split('\n')).map((line) => line.trim());
  const line = lines.find((one) => one !== '' && !one.startsWith('dmesg(1)')) ?? 'it failed and said nothing';
  return line
    .replace(/^(?:mount|mount\.\w+|mkfs\.\w+|mke2fs|mksquashfs|exportfs|xfs_quota): /, '')
    .slice(0, 400);
}
