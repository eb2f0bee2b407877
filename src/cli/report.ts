import { inspect } from 'node:util';
import { errorMessage, TsengineError } from '../errors.ts';
import { UsageError } from './usage-error.ts';

/** The signal a Go program like docker dies of when its reader has gone away, as shells report it: 128 + SIGPIPE. */
const brokenPipeExitCode = 141;

/**
 * Tells the user of an error on standard error and returns the exit code: the error's own, else `fallback`.
 * One line, unless it is about the usage; with `debug` the stack and the causes follow.
 */
export function report(error: unknown, debug: boolean, fallback: number): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(`tsengine: ${errorMessage(error)}\n`);
  if (debug) process.stderr.write(`${inspect(error, { colors: process.stderr.isTTY })}\n`);
  return error instanceof TsengineError ? (error.exitCode ?? fallback) : fallback;
}

/**
 * Settles what happens when output has nowhere to go (`tsengine ps | head -1`) and when something throws outside of
 * any command: quiet the first, one line the second. For the whole process, once.
 */
export function installProcessHandlers(isDebug: () => boolean): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(brokenPipeExitCode);
      throw error;
    });
  }
  const fatal = (error: unknown) => process.exit(report(error, isDebug(), 1));
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);
}
