/** Sizes as Docker writes and reads them (docker/go-units). */
import { TsengineError } from '../../errors.ts';
import { formatFloat } from './go/float.ts';

const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'] as const;
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'] as const;

/** Bytes in powers of 1000 with `digits` significant digits: `4.26MB`. `images` and `ps -s` use 3, most others 4. */
export function humanSize(bytes: number, digits = 4): string {
  return scaled(bytes, 1000, DECIMAL, digits);
}

/** Bytes in powers of 1024 with four significant digits: `15.5GiB`. */
export function bytesSize(bytes: number): string {
  return scaled(bytes, 1024, BINARY, 4);
}

function scaled(bytes: number, base: number, units: readonly string[], digits: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= base && unit < units.length - 1) {
    size /= base;
    unit += 1;
  }
  return formatFloat(size, 'g', digits) + (units[unit] ?? '');
}

const BINARY_UNITS = 'bkmgtp';

/**
 * Reads a size in powers of 1024: `512m`, `1.5g`, `64KiB`, `4096`. Throws InvalidParameter `invalid size: 'x'`. A size
 * that no 64-bit integer holds is refused too, where Docker wraps it round.
 */
export function ramInBytes(text: string): number {
  return parseSize(text, 1024);
}

/** Reads a size in powers of 1000: `10GB`. Throws as `ramInBytes`. */
export function sizeInBytes(text: string): number {
  return parseSize(text, 1000);
}

function parseSize(text: string, base: number): number {
  const match = /^(\d+(?:\.\d+)*) ?([kKmMgGtTpP])?[iI]?[bB]?$/.exec(text);
  if (match === null) throw new TsengineError('InvalidParameter', `invalid size: '${text}'`);
  const [, digits = '', unit = 'b'] = match;
  if (digits.split('.').length > 2) {
    throw new TsengineError('InvalidParameter', `strconv.ParseFloat: parsing "${digits}": invalid syntax`);
  }
  const size = Math.trunc(Number(digits) * base ** BINARY_UNITS.indexOf(unit.toLowerCase()));
  if (size >= 2 ** 63) throw new TsengineError('InvalidParameter', `invalid size: '${text}'`);
  return size;
}
