/**
 * A command line that cannot be understood. Unlike a `TsengineError` its message may have several lines and already is
 * what the user sees, in Docker's words and layout.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
