/** `--filter name=value` on the command line. What the filters mean is the engine's business (text/filters.ts). */
import { TsengineError } from '../../errors.ts';
import { parseFlag } from '../flags/flag-error.ts';

/**
 * Reads the values of a repeated `--filter` into values by key, in order and without repetitions. Keys are made lower
 * case and blanks around keys and values dropped, as Docker does; `label!=x` has the key `label!`; an empty argument
 * is ignored. Throws InvalidParameter in Docker's words; `flag` is the flag as help shows it.
 */
export function parseFilters(values: readonly string[], flag = '-f, --filter'): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  for (const value of values) {
    if (value === '') continue;
    const [key, wanted] = parseFlag(flag, value, parseFilter);
    const known = filters.get(key) ?? [];
    if (!known.includes(wanted)) known.push(wanted);
    filters.set(key, known);
  }
  return filters;
}

function parseFilter(text: string): readonly [key: string, value: string] {
  const split = text.indexOf('=');
  if (split < 0) throw new TsengineError('InvalidParameter', 'bad format of filter (expected name=value)');
  return [text.slice(0, split).trim().toLowerCase(), text.slice(split + 1).trim()];
}
