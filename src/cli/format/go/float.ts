/** Go's `strconv.FormatFloat` for 64-bit floats. */

interface Digits {
  /** Significant digits without trailing zeros; empty for zero. */
  readonly digits: string;
  /** Where the decimal point stands: the value is 0.digits × 10^point. */
  readonly point: number;
}

/**
 * Writes `value` as `format` says: `e` (1.5e+00), `f` (1.5) or `g` (the shorter of both, Go's rule). `precision` is
 * digits after the point for `e` and `f`, significant digits for `g`; -1 means as few as tell the value apart.
 */
export function formatFloat(value: number, format: 'e' | 'f' | 'g', precision: number): string {
  if (Number.isNaN(value)) return 'NaN';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const size = Math.abs(value);
  if (size === Number.POSITIVE_INFINITY) return sign === '' ? '+Inf' : '-Inf';
  if (format === 'e') return sign + exponential(size, precision);
  if (format === 'f') return sign + fixed(size, precision);
  return sign + general(size, precision);
}

function exponential(size: number, precision: number): string {
  const text = precision < 0 ? size.toExponential() : size.toExponential(Math.min(precision, 100));
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function fixed(size: number, precision: number): string {
  if (precision < 0) {
    const { digits, point } = significant(size, -1);
    if (point <= 0) return digits === '' ? '0' : `0.${'0'.repeat(-point)}${digits}`;
    const whole = digits.slice(0, point).padEnd(point, '0');
    return digits.length > point ? `${whole}.${digits.slice(point)}` : whole;
  }
  // Number.prototype.toFixed switches to exponents at 1e21; such a float is an integer.
  if (size >= 1e21)
    return precision > 0 ? `${BigInt(size)}.${'0'.repeat(precision)}` : BigInt(size).toString();
  return size.toFixed(Math.min(precision, 100));
}

function general(size: number, precision: number): string {
  const wanted = precision === 0 ? 1 : precision;
  const { digits, point } = significant(size, wanted);
  let limit = wanted < 0 ? 6 : wanted;
  if (limit > digits.length && digits.length >= point) limit = digits.length;
  // Go decides by 21 digits only in JSON; here the shortest form uses 6.
  if (wanted < 0) limit = 6;
  const exponent = digits === '' ? 0 : point - 1;
  if (exponent < -4 || exponent >= Math.max(limit, 1)) {
    const shown = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
    const sign = exponent < 0 ? '-' : '+';
    return `${shown}e${sign}${Math.abs(exponent).toString().padStart(2, '0')}`;
  }
  return fixed(size, Math.max(digits.length - point, 0));
}

function significant(size: number, count: number): Digits {
  if (size === 0) return { digits: '', point: 0 };
  const text = count < 0 ? size.toExponential() : size.toExponential(Math.min(count - 1, 100));
  const [mantissa = '', exponent = '0'] = text.split('e');
  return { digits: mantissa.replace('.', '').replace(/0+$/, ''), point: Number(exponent) + 1 };
}
