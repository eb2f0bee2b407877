import { TsengineError } from '../../errors.ts';
import { parseFlag } from './flag-error.ts';

/** A flag's number above zero, as `parseFlag` words what is none. */
export function positive(flag: string, text: string): number {
  return parseFlag(flag, text, () => numberOf(text, /^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, 'a number'));
}

/** A flag's whole number above zero, up to `most`. */
export function positiveWhole(flag: string, text: string, most = 999_999_999): number {
  return parseFlag(flag, text, () => {
    const value = numberOf(text, /^\d+$/, 'a whole number');
    if (value <= most) return value;
    throw new TsengineError('InvalidParameter', `give ${most} or less`);
  });
}

function numberOf(text: string, form: RegExp, what: string): number {
  const value = Number(text);
  if (form.test(text) && value > 0 && Number.isFinite(value)) return value;
  throw new TsengineError('InvalidParameter', `give ${what} above zero`);
}
