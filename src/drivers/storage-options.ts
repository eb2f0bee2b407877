/** Docker's `--storage-opt`, of the engine and of a container, as all drivers read them. Words as Docker 20.10's. */
import { TsengineError } from '../errors.ts';
import type { CreateOptions, DriverName } from './driver.ts';

/** The exit code of a command line that cannot be understood, which a bad option makes it whatever the command is. */
const USAGE = 125;

/** The error for an option that is wrong, which `message` names together with the way out. */
export function badOption(message: string, cause?: unknown): TsengineError {
  return new TsengineError('InvalidParameter', message, { exitCode: USAGE, cause });
}

/** Reads one `key=value`. Docker takes the key in any case. */
export function parseStorageOption(text: string): readonly [key: string, value: string] {
  const equals = text.indexOf('=');
  if (equals < 0) {
    throw badOption(
      `Unable to parse key/value option: ${shown(text)}: a storage option (--storage-opt) is KEY=VALUE`,
    );
  }
  return [text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim()];
}

const UNITS = 'kmgtp';
/** What a container's size is called in errors. */
export const SIZE_OPTION = '--storage-opt size';
/** What is told of a container's size of 0 where that is refused. */
export const NO_LIMIT = 'give more than 0, or leave size out for no limit';

/**
 * A size as Docker's `--storage-opt size` takes it, in bytes: a number, a unit of 1024 (`k` to `p`, with or without
 * `b` or `ib`), a blank between them if one likes. `option` is what errors call it, `range` what they say can be given. From 8P
 * on, which no disk has, numbers are no longer exact, and what is made of them is something else than was asked for.
 */
export function parseSize(option: string, text: string, range = 'less than 8P'): number {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?b?|b)?$/i.exec(text);
  const [, number, unit] = match ?? [];
  if (number === undefined) {
    throw badOption(`${option}: invalid size: '${short(text)}': give a number with a unit, such as 10G`);
  }
  const power = unit === undefined ? 0 : UNITS.indexOf(unit.toLowerCase()) + 1;
  const size = Math.trunc(Number(number) * 1024 ** power);
  if (!Number.isSafeInteger(size)) throw badOption(`${option}=${short(text)} is out of range: give ${range}`);
  return size;
}

/** What somebody gave, where an empty text would not be seen. */
function shown(text: string): string {
  return text === '' ? "''" : short(text);
}

/** The beginning of what somebody gave: enough to know it again. */
function short(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** The drivers that have options of their own, which begin with a prefix of theirs. */
const PREFIXES: readonly (readonly [prefix: string, driver: DriverName])[] = [
  ['aufs.', 'aufs'],
  ['btrfs.', 'btrfs'],
  ['dm.', 'devicemapper'],
  ['overlay2.', 'overlay2'],
  ['zfs.', 'zfs'],
];

/** The error for an option that a driver does not have: whose it is, or which ones there are. `own` are its own, all or some. */
export function unknownOption(driver: DriverName, key: string, own: readonly string[]): TsengineError {
  const lower = key.toLowerCase();
  const line = `${driver} has no option ${shown(key)}`;
  const [prefix, owner] = PREFIXES.find(([start]) => lower.startsWith(start)) ?? [];
  if (owner !== undefined && owner !== driver) {
    return badOption(
      `${line}: those that begin with ${prefix} are ${owner}'s: leave it out, or choose --storage-driver ${owner}`,
    );
  }
  return badOption(`${line}: it takes ${own.join(', ')}`);
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** A boolean as Docker's options take it. */
export function parseBool(key: string, text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw badOption(`${key}: cannot read "${short(text)}" as a boolean: say true or false`);
}

/**
 * What a container's `--storage-opt` asks for: a quota in bytes, or nothing. `unknown` words the refusal of any other
 * key, which differs between Docker's drivers.
 */
export function requestedQuota(
  options: CreateOptions | undefined,
  unknown: (key: string) => string,
): { readonly text: string } | undefined {
  let size: string | undefined;
  for (const [key, value] of Object.entries(options?.storageOptions ?? {})) {
    if (key.toLowerCase() !== 'size') {
      throw badOption(`${unknown(shown(key))}: a container's --storage-opt is size, such as size=10G`);
    }
    size = value;
  }
  return size === undefined ? undefined : { text: size };
}
