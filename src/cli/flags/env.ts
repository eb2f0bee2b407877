/** `-e`, `--env-file`, `--label` and `--label-file` of run and create. */
import { TsengineError } from '../../errors.ts';
import { fileErrorText, parseFlag, usageError } from './flag-error.ts';

/** The variables that a bare `NAME` is looked up in: those of the process, as a rule. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads a file whole. Fails with Node's `ENOENT`, `EISDIR`… which become Docker's words. */
export type ReadFile = (path: string) => Buffer;

/**
 * The `Config.Env` of a command line: the files' lines, then the `-e` values, of two for one name the last. A bare `NAME` takes its value from
 * `environment`; where it has none, `-e NAME` stays as it is (it unsets the image's variable) and a line `NAME` of a
 * file is left out. Throws InvalidParameter in Docker's words.
 */
export function parseEnv(
  values: readonly string[],
  files: readonly string[],
  environment: Environment,
  readFile: ReadFile,
): string[] {
  const env = files.flatMap((file) => parseKeyValueFile(file, readOrFail(file, readFile), environment));
  const flags = new Map<string, string>();
  for (const value of values) {
    const entry = parseFlag('-e, --env', value, (text) => envValue(text, environment));
    flags.set(splitPair(entry)[0], entry);
  }
  return [...env, ...flags.values()];
}

/**
 * The `Config.Labels` of a command line: those of the files, then those of `--label`. A label without `=` is empty,
 * and left out when it is a file's.
 * Throws InvalidParameter in Docker's words.
 */
export function parseLabels(
  values: readonly string[],
  files: readonly string[],
  readFile: ReadFile,
): Record<string, string> {
  const labels = files.flatMap((file) => parseKeyValueFile(file, readOrFail(file, readFile), {}));
  for (const value of values) labels.push(parseFlag('-l, --label', value, checkLabel));
  return Object.fromEntries(labels.map(splitPair));
}

function readOrFail(path: string, readFile: ReadFile): Buffer {
  try {
    return readFile(path);
  } catch (error) {
    throw usageError(fileErrorText(path, error));
  }
}

function envValue(text: string, environment: Environment): string {
  const [name] = splitPair(text);
  if (name === '') throw new TsengineError('InvalidParameter', `invalid environment variable: ${text}`);
  const value = text.includes('=') ? undefined : lookUp(environment, text);
  return value === undefined ? text : `${text}=${value}`;
}

/** Its own variables only: `constructor` is none. */
function lookUp(environment: Environment, name: string): string | undefined {
  return Object.hasOwn(environment, name) ? environment[name] : undefined;
}

function checkLabel(text: string): string {
  const [name] = splitPair(text);
  if (name === '') throw new TsengineError('InvalidParameter', `invalid label '${text}': empty name`);
  // A label with a value may have blanks in its name, one without may not: Docker looks only there.
  if (!text.includes('=') && /\s/.test(text)) {
    throw new TsengineError('InvalidParameter', `label '${text}' contains whitespaces`);
  }
  return text;
}

function splitPair(text: string): [string, string] {
  const split = text.indexOf('=');
  return split < 0 ? [text, ''] : [text.slice(0, split), text.slice(split + 1)];
}

/**
 * The `NAME=value` lines of an env or label file. Blank lines and lines that start with `#` are skipped, blanks before
 * a name are dropped, values are taken as they are. A bare `NAME` takes its value from `environment`, or is left out
 * where it has none, as every bare label is.
 */
export function parseKeyValueFile(path: string, content: Buffer, environment: Environment): string[] {
  const pairs: string[] = [];
  for (const [index, bytes] of splitLines(content).entries()) {
    const line = bytes.toString();
    if (!isUtf8(bytes)) {
      throw usageError(
        `env file ${path} contains invalid utf8 bytes at line ${index + 1}: [${[...bytes].join(' ')}]`,
      );
    }
    const text = line.replace(/^[\s\u0085]+/, '');
    if (text === '' || text.startsWith('#')) continue;
    const [name] = splitPair(text);
    if (/\s/.test(name))
      throw usageError(`poorly formatted environment: variable '${name}' contains whitespaces`);
    if (name === '') throw usageError(`poorly formatted environment: no variable name on line '${text}'`);
    const value = text.includes('=') ? undefined : lookUp(environment, name);
    if (text.includes('=')) pairs.push(text);
    else if (value !== undefined) pairs.push(`${name}=${value}`);
  }
  return pairs;
}

/** The lines without their ends (LF or CRLF) and without a byte order mark before the first. */
function splitLines(content: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = content.subarray(0, 3).equals(Buffer.of(0xef, 0xbb, 0xbf)) ? 3 : 0;
  while (start < content.length) {
    const found = content.indexOf(0x0a, start);
    const end = found < 0 ? content.length : found;
    lines.push(content.subarray(start, end > start && content[end - 1] === 0x0d ? end - 1 : end));
    start = end + 1;
  }
  return lines;
}

function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString()).equals(bytes);
}
