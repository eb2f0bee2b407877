/** Points in time as Docker reads and writes them. They are nanoseconds since 1970, as bigints, exact. */
import { TsengineError } from '../../errors.ts';
import { parseDuration } from './duration.ts';
import { parseTime } from './time-layout.ts';

const SECOND = 1_000_000_000n;

/** Go's zero time, which Docker's files hold where nothing has happened yet. */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

/** The present, to the precision of the clock. */
export function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** Writes a time as RFC 3339 in UTC with up to nine digits of fraction, trailing zeros cut: Go's RFC3339Nano. */
export function formatTimestamp(nanoseconds: bigint): string {
  const shortest = fraction(nanoseconds).replace(/\.?0+$/, '');
  return `${isoSeconds(nanoseconds)}${shortest}Z`;
}

/** The same with all nine digits, as `logs --timestamps` shows it. */
export function formatFixedTimestamp(nanoseconds: bigint): string {
  return `${isoSeconds(nanoseconds)}${fraction(nanoseconds)}Z`;
}

/**
 * Reads an RFC 3339 time with any fraction and zone. Go's zero time and everything before 1970 come out negative.
 * Throws InvalidParameter with Go's text.
 */
export function parseTimestamp(text: string): bigint {
  return parseTime(text, '2006-01-02T15:04:05Z07:00');
}

/** Whether a time of a Docker file is Go's zero time, or absent. */
export function isZeroTime(text: string): boolean {
  return text === '' || text.startsWith('0001-01-01T00:00:00');
}

/**
 * What `--since` and `--until` mean: a date or time (with `Z` or an offset, else local), a Unix time in seconds with
 * up to nine digits of fraction, or a Go duration back from `reference`. The result of a duration is cut to whole
 * seconds, as Docker's. Throws InvalidParameter with Docker's text, without the flag's name before it.
 */
export function parseTimeOption(value: string, reference: bigint): bigint {
  const back = value === '0' ? undefined : tryDuration(value);
  if (back !== undefined) {
    const at = reference - back;
    return at - (((at % SECOND) + SECOND) % SECOND);
  }
  try {
    return parseTime(value, layoutOf(value));
  } catch (error) {
    // A dash means that a date was meant, and its own mistake says more.
    if (value.includes('-')) throw error;
  }
  return parseUnixTime(value);
}

function parseUnixTime(value: string): bigint {
  const match = /^([+-]?\d+)(?:\.(\d+))?$/.exec(value);
  if (match === null) {
    const message = `failed to parse value as time or duration: ${JSON.stringify(value)}`;
    throw new TsengineError('InvalidParameter', message);
  }
  const [, seconds = '0', digits = ''] = match;
  return BigInt(seconds) * SECOND + BigInt(digits.slice(0, 9).padEnd(9, '0'));
}

function tryDuration(value: string): bigint | undefined {
  try {
    return parseDuration(value);
  } catch {
    return undefined;
  }
}

/** The layout that Docker picks by looking at the value: which fields it has, and whether it names a zone. */
function layoutOf(value: string): string {
  const dashes = value.split('-').length - 1;
  const zone = /[zZ+]/.test(value) || dashes === 3 ? 'Z07:00' : '';
  if (value.includes('.')) return `2006-01-02T15:04:05${zone}`;
  if (!value.includes('T')) return `2006-01-02${zone}`;
  let colons = value.split(':').length - 1;
  // The offset of a zone has a colon of its own.
  if (zone !== '' && !/[zZ]/.test(value) && colons > 0) colons -= 1;
  const time = colons === 0 ? '15' : colons === 1 ? '15:04' : '15:04:05';
  return `2006-01-02T${time}${zone}`;
}

function isoSeconds(nanoseconds: bigint): string {
  const seconds = (nanoseconds - (((nanoseconds % SECOND) + SECOND) % SECOND)) / SECOND;
  return new Date(Number(seconds) * 1000).toISOString().replace(/\.\d+Z$/, '');
}

function fraction(nanoseconds: bigint): string {
  return `.${(((nanoseconds % SECOND) + SECOND) % SECOND).toString().padStart(9, '0')}`;
}
