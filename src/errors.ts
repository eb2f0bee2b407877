/**
 * What kind of failure an error is. The command line maps kinds to exit codes, the HTTP API to statuses.
 *
 * - `NotFound`: the named thing does not exist (404).
 * - `Conflict`: the named thing is in a state that forbids the operation, or a name is taken (409).
 * - `InvalidParameter`: what the caller gave is wrong (400).
 * - `Forbidden`: the caller has no right to it (403).
 * - `Unavailable`: this machine lacks what is needed: a tool, a kernel feature, a mount (503).
 * - `NotImplemented`: known and not supported here (501).
 * - `Corrupt`: data read from disk or from an archive breaks its format (500).
 * - `System`: the kernel or a tool failed (500).
 */
export type ErrorCode =
  | 'NotFound'
  | 'Conflict'
  | 'InvalidParameter'
  | 'Forbidden'
  | 'Unavailable'
  | 'NotImplemented'
  | 'Corrupt'
  | 'System';

/** Extra facts an error may carry. */
export interface TsengineErrorOptions {
  /** The error underneath, shown with `--debug`. */
  readonly cause?: unknown;
  /** The exit code of the command line, where it is not 125 (126 cannot execute, 127 not found, 1 for plain commands). */
  readonly exitCode?: number;
}

/**
 * The one error class of tsengine. `message` is a single line that says what failed, on what, why, and what to
 * do; it never contains a stack or a newline.
 */
export class TsengineError extends Error {
  override readonly name = 'TsengineError';
  readonly code: ErrorCode;
  readonly exitCode: number | undefined;

  constructor(code: ErrorCode, message: string, options: TsengineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exitCode = options.exitCode;
  }
}

/** What this machine lacks, a program for one, and no kernel has a part in: installing it is the way out. */
export class LackingHereError extends TsengineError {
  constructor(message: string, cause?: unknown) {
    super('Unavailable', message, { cause });
  }
}

/** The error that came first, where undoing what it interrupted (`using`) failed as well. */
export function firstError(error: unknown): unknown {
  let first = error;
  while (first instanceof SuppressedError) first = first.suppressed;
  return first;
}

/** The message of anything thrown, in one line. */
export function errorMessage(error: unknown): string {
  const first = firstError(error);
  const text = first instanceof Error ? first.message : String(first);
  return text.replaceAll(/\s*\n\s*/g, ' ');
}

/** Whether `error` is a system error with one of the given errno names (`ENOENT`…), from Node or from `src/linux`. */
export function hasErrno(error: unknown, ...codes: readonly string[]): boolean {
  const first = error instanceof SuppressedError ? firstError(error) : error;
  return (
    first instanceof Error && 'code' in first && typeof first.code === 'string' && codes.includes(first.code)
  );
}
