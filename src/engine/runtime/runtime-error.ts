/** A runtime's own messages in Docker's words, with Docker's exit codes. */
import { TsengineError } from '../../errors.ts';

/** One line of runc's log (logrus text): `time="…" level=error msg="…"`. */
const LOGRUS = /^time="[^"]*" level=(?:error|fatal) msg=("(?:[^"\\]|\\.)*")/;

/** One that is no error: with systemd runc warns at every start. */
const LOGRUS_OTHER = /^time="[^"]*" level=(?:warning|info|debug) /;

/** A Go string literal that holds no more than JSON can say, unquoted. */
function unquote(literal: string): string {
  try {
    const text: unknown = JSON.parse(literal);
    return typeof text === 'string' ? text : literal;
  } catch {
    return literal.slice(1, -1);
  }
}

/**
 * What went wrong, out of what a runtime wrote into its log and on stderr: the message of runc's last error line; crun
 * writes its own, with a time before it, and that is taken as it is. Empty where nothing tells of an error.
 */
export function runtimeMessage(told: string): string {
  const lines = told.split('\n').filter((line) => line.trim() !== '' && !LOGRUS_OTHER.test(line));
  const errors = lines.flatMap((line) => LOGRUS.exec(line)?.[1] ?? []);
  const last = errors.at(-1);
  if (last !== undefined) return unquote(last).trim();
  return (lines.at(-1) ?? '').replace(/^\d{4}-\d\d-\d\dT[0-9:.]+Z: /, '').trim();
}

/** What both Docker's client and its daemon take for a command that does not exist. */
const NOT_FOUND = /executable file .*not found|no such file or directory/i;

/** The exit code of `docker run` for a container that could not be started. crun says `executable file … not found`. */
function clientExitCode(message: string): number {
  if (NOT_FOUND.test(message)) return 127;
  return /permission denied/i.test(message) ? 126 : 125;
}

/** What Docker stores as the exit code of a container that could not be started: 128 where the reason is none of these. */
export function stateExitCode(message: string): number {
  if (/not a directory/i.test(message)) return 127;
  if (/permission denied/i.test(message)) return 126;
  return NOT_FOUND.test(message) ? 127 : 128;
}

/** The error for a failed `create`: Docker's line around what the runtime said, with the exit code of `docker run`. */
export function createFailure(told: string): TsengineError {
  const said = runtimeMessage(told);
  const advice = /not a directory/i.test(said)
    ? ': Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type'
    : '';
  const message = `failed to create shim task: OCI runtime create failed: ${said}: unknown${advice}`;
  return new TsengineError('InvalidParameter', message, { exitCode: clientExitCode(said) });
}
