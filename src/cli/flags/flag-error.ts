/** Docker's words for a flag with a bad value. */
import { errorMessage, TsengineError } from '../../errors.ts';
import { quote } from '../format/go/quote.ts';

/** The exit code of `docker` for command lines that it cannot understand. */
const USAGE = 125;

/**
 * Reads a flag's value with `parse`. What that throws becomes `invalid argument "x" for "-e, --env" flag: …`;
 * `flag` is the flag as help shows it, short form first.
 */
export function parseFlag<T>(flag: string, value: string, parse: (value: string) => T): T {
  try {
    return parse(value);
  } catch (error) {
    const message = `invalid argument ${quote(value)} for ${quote(flag)} flag: ${errorMessage(error)}`;
    throw new TsengineError('InvalidParameter', message, { exitCode: USAGE });
  }
}

/** An error that the command line finds after all flags have been read. Docker exits with 125 then too. */
export function usageError(message: string): TsengineError {
  return new TsengineError('InvalidParameter', message, { exitCode: USAGE });
}

/** A Go int, as pflag reads it: `invalid argument "x" for "-n, --last" flag: …` when it is none. */
export function intFlag(flag: string, text: string): number {
  return parseFlag(flag, text, (value) => {
    if (/^[+-]?[0-9]+$/.test(value)) return Number(value);
    throw new TsengineError('InvalidParameter', `strconv.ParseInt: parsing ${quote(value)}: invalid syntax`);
  });
}

/** A Go bool (`1 t T true TRUE True 0 f …`), `undefined` for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  return /^(?:0|f|F|false|FALSE|False)$/.test(text) ? false : undefined;
}

/** Go's words for a file that could not be opened or read: `open x: no such file or directory`. */
export function fileErrorText(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return `open ${path}: no such file or directory`;
  if (code === 'EACCES') return `open ${path}: permission denied`;
  if (code === 'ENOTDIR') return `open ${path}: not a directory`;
  if (code === 'EISDIR') return `read ${path}: is a directory`;
  return errorMessage(error);
}
