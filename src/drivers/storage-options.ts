/** Docker's `--storage-opt`, of the engine and of a container, as all drivers read them. Words as Docker 20.10's. */
import { TsengineError } from '../errors.ts';
import type { CreateOptions } from './driver.ts';

/** Reads one `key=value`. Docker takes the key in any case. */
export function parseStorageOption(text: string): readonly [key: string, value: string] {
  const equals = text.indexOf('=');
  if (equals < 0) throw new TsengineError('InvalidParameter', `Unable to parse key/value option: ${text}`);
  return [text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim()];
}

const UNITS = 'kmgtp';

/**
 * A size as Docker's `--storage-opt size` takes it, in bytes: a number, a unit of 1024 (`k` to `p`, with or without
 * `b` or `ib`), a blank between them if one likes.
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?b?|b)?$/i.exec(text);
  const [, number, unit] = match ?? [];
  if (number === undefined) throw new TsengineError('InvalidParameter', `invalid size: '${text}'`);
  const power = unit === undefined ? 0 : UNITS.indexOf(unit.toLowerCase()) + 1;
  return Math.trunc(Number(number) * 1024 ** power);
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** A boolean as Docker's options take it. */
export function parseBool(key: string, text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new TsengineError(
    'InvalidParameter',
    `${key}: cannot read "${text}" as a boolean: say true or false`,
  );
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
    if (key.toLowerCase() !== 'size') throw new TsengineError('InvalidParameter', unknown(key));
    size = value;
  }
  return size === undefined ? undefined : { text: size };
}
