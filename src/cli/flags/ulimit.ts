/** `--ulimit` of run and create. */
import { TsengineError } from '../../errors.ts';
import { quote } from '../format/go/quote.ts';
import { parseFlag } from './flag-error.ts';

/** One limit as Docker's API takes it; -1 is unlimited. */
export interface UlimitFlag {
  readonly Name: string;
  readonly Hard: number;
  readonly Soft: number;
}

/** The limits that Docker knows: RLIMIT_ names in lower case, without `as`, which it leaves out (docker/go-units). */
export const ULIMIT_NAMES: readonly string[] = [
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
];

/** Reads `name=soft[:hard]` values; of two for one name the last wins. Sorted by name. Throws in Docker's words. */
export function parseUlimits(values: readonly string[]): UlimitFlag[] {
  const limits = new Map(
    values.map((value) => {
      const limit = parseFlag('--ulimit', value, parseUlimit);
      return [limit.Name, limit] as const;
    }),
  );
  return [...limits.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
}

function parseUlimit(text: string): UlimitFlag {
  const split = text.indexOf('=');
  if (split < 0) fail(`invalid ulimit argument: ${text}`);
  const name = text.slice(0, split);
  const value = text.slice(split + 1);
  if (!ULIMIT_NAMES.includes(name)) fail(`invalid ulimit type: ${name}`);
  const parts = value.split(':');
  if (parts.length > 2)
    fail(`too many limit value arguments - ${value}, can only have up to two, \`soft[:hard]\``);
  const soft = integer(parts[0] ?? '');
  const hard = parts[1] === undefined ? soft : integer(parts[1]);
  if (hard !== -1 && soft === -1) {
    fail(`ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: ${hard}`);
  }
  if (hard !== -1 && soft > hard) {
    fail(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
  return { Name: name, Hard: hard, Soft: soft };
}

/** Go's ParseInt. Beyond 2^53 a JavaScript number is not exact; the kernel has no such limits in use. */
function integer(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) fail(`strconv.ParseInt: parsing ${quote(text)}: invalid syntax`);
  const value = Number(text);
  if (!Number.isSafeInteger(value)) fail(`strconv.ParseInt: parsing ${quote(text)}: value out of range`);
  return value;
}

function fail(message: string): never {
  throw new TsengineError('InvalidParameter', message);
}
