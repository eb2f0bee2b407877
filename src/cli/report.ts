import { inspect } from 'node:util';
import { errorMessage, firstError, hasErrno, TsengineError } from '../errors.ts';
import { SyscallError } from '../linux/errno.ts';
import { ReaderGone, SIGPIPE_EXIT } from './output.ts';
import { UsageError } from './usage-error.ts';

/**
 * Tells the user of an error on standard error and returns the exit code: the error's own, else `fallback`.
 * One line, unless it is about the usage, and none when nobody reads what we write; with `debug` the stack and the causes
 * follow.
 */
export function report(error: unknown, debug: boolean, fallback: number): number {
  if (isBrokenPipe(error)) return SIGPIPE_EXIT;
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(`tsengine: ${errorMessage(error)}\n`);
  if (debug) process.stderr.write(`${inspect(error, { colors: process.stderr.isTTY })}\n`);
  const first = firstError(error);
  return first instanceof TsengineError ? (first.exitCode ?? fallback) : fallback;
}

/** Whether it says that nobody reads what we write any more. */
function isBrokenPipe(error: unknown): boolean {
  const first = firstError(error);
  if (first instanceof ReaderGone) return true;
  // Of Node's own streams. What we write elsewhere says so in an error of ours.
  const isOurs = error instanceof SyscallError || !(error instanceof Error);
  return !isOurs && 'syscall' in error && error.syscall === 'write' && hasErrno(error, 'EPIPE');
}

/**
 * Settles what happens when output has nowhere to go (`tsengine ps | head -1`) and when something throws outside of
 * any command: quiet the first, one line the second. For the whole process, until disposed of. An error of `process.stdout` comes here
 * as well, as long as nobody listens to it: looking at the stream now would cost 3 ms for nothing. `reported` tells of an
 * error and gives the exit code.
 */
export function installProcessHandlers(reported: (error: unknown) => number): Disposable {
  const fatal = (error: unknown) => {
    process.exit(reported(error));
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);
  return {
    [Symbol.dispose]: () => {
      process.off('uncaughtException', fatal).off('unhandledRejection', fatal);
    },
  };
}
