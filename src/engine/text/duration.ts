/** Durations in Go's notation (`1h2m3.5s`) and in Docker's words (`About a minute`). All are in nanoseconds. */
import { TsengineError } from '../../errors.ts';

const SECOND = 1_000_000_000n;
const UNITS = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  // Both the micro sign and the Greek letter.
  ['\u00b5s', 1_000n],
  ['\u03bcs', 1_000n],
  ['ms', 1_000_000n],
  ['s', SECOND],
  ['m', 60n * SECOND],
  ['h', 3600n * SECOND],
]);

/**
 * Reads a duration as Go's `time.ParseDuration`: a sign, then numbers with units (`300ms`, `-1.5h`, `2h45m`), or `0`.
 * Throws InvalidParameter with Go's text.
 */
export function parseDuration(text: string): bigint {
  const fail = (message: string): never => {
    throw new TsengineError('InvalidParameter', `time: ${message}`);
  };
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return 0n;
  if (body === '') fail(`invalid duration ${JSON.stringify(text)}`);
  let total = 0n;
  const part = /(\d*)(?:\.(\d*))?([^\d.]*)/y;
  while (part.lastIndex < body.length) {
    const [, whole = '', fraction = '', unit = ''] =
      part.exec(body) ?? fail(`invalid duration ${JSON.stringify(text)}`);
    if (whole === '' && fraction === '') fail(`invalid duration ${JSON.stringify(text)}`);
    if (unit === '') fail(`missing unit in duration ${JSON.stringify(text)}`);
    const size =
      UNITS.get(unit) ?? fail(`unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    total += BigInt(whole === '' ? 0 : whole) * size;
    total += fraction === '' ? 0n : (BigInt(fraction) * size) / 10n ** BigInt(fraction.length);
  }
  // Go's durations are 64 bits.
  if (BigInt.asIntN(64, total) !== total) fail(`invalid duration ${JSON.stringify(text)}`);
  return text.startsWith('-') ? -total : total;
}

/** Writes a duration as Go does: `1h2m3.5s`, `1.5ms`, `0s`. */
export function formatDuration(nanoseconds: bigint): string {
  if (nanoseconds < 0n) return `-${formatDuration(-nanoseconds)}`;
  if (nanoseconds === 0n) return '0s';
  if (nanoseconds < 1_000n) return `${nanoseconds}ns`;
  if (nanoseconds < 1_000_000n) return `${decimal(nanoseconds, 3)}\u00b5s`;
  if (nanoseconds < SECOND) return `${decimal(nanoseconds, 6)}ms`;
  const minutes = nanoseconds / (60n * SECOND);
  const seconds = `${decimal(nanoseconds % (60n * SECOND), 9)}s`;
  if (minutes === 0n) return seconds;
  return minutes < 60n ? `${minutes}m${seconds}` : `${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

function decimal(value: bigint, digits: number): string {
  const scale = 10n ** BigInt(digits);
  const fraction = (value % scale).toString().padStart(digits, '0').replace(/0+$/, '');
  return fraction === '' ? (value / scale).toString() : `${value / scale}.${fraction}`;
}

/**
 * A duration in Docker's words: `Less than a second`, `5 seconds`, `About an hour`, `3 weeks`. Takes seconds, with
 * fractions; steps and roundings are those of docker/go-units' HumanDuration.
 */
export function humanDuration(duration: number): string {
  const seconds = Math.trunc(duration);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(duration / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(duration / 3600 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  const days = Math.trunc(hours / 24);
  if (hours < 24 * 7 * 2) return `${days} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(days / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(days / 30)} months`;
  return `${Math.trunc(duration / 3600 / 24 / 365)} years`;
}
