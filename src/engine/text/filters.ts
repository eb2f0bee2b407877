/** Docker's `--filter` on the engine's side: which keys are taken, and whether a thing matches. */
import { TsengineError } from '../../errors.ts';
import type { Filters } from '../api/services.ts';

/** Throws InvalidParameter `Invalid filter 'x'` for a key that is not among `accepted`. */
export function checkFilters(filters: Filters, accepted: readonly string[]): void {
  for (const key of filters.keys()) {
    if (!accepted.includes(key)) throw new TsengineError('InvalidParameter', `Invalid filter '${key}'`);
  }
}

/** Throws InvalidParameter `Invalid filter 'key=x'` for a value of `key` that is not among `accepted`. */
export function checkFilterValues(filters: Filters, key: string, accepted: readonly string[]): void {
  for (const value of filters.get(key) ?? []) {
    if (!accepted.includes(value))
      throw new TsengineError('InvalidParameter', `Invalid filter '${key}=${value}'`);
  }
}

/** Whether `source` is one of the values of `key`, or `key` is not filtered by. */
export function matchExact(filters: Filters, key: string, source: string): boolean {
  const values = filters.get(key);
  return values === undefined || values.includes(source);
}

/** Like `matchExact`, but a value may also be the beginning of `source`. */
export function matchPrefix(filters: Filters, key: string, source: string): boolean {
  const values = filters.get(key);
  return values === undefined || values.some((value) => source.startsWith(value));
}

/** Like `matchExact`, but a value may also be a regular expression found in `source`. A broken one matches nothing. */
export function matchPattern(filters: Filters, key: string, source: string): boolean {
  const values = filters.get(key);
  return (
    values === undefined ||
    values.some((value) => value === source || (toRegExp(value)?.test(source) ?? false))
  );
}

/** The `name` filter of `ps`: a pattern, on the name with and without its leading slash. */
export function matchContainerName(filters: Filters, name: string): boolean {
  const bare = name.replace(/^\//, '');
  return matchPattern(filters, 'name', bare) || matchPattern(filters, 'name', `/${bare}`);
}

/** Whether `labels` have every one of the values of `key`, each `label` or `label=value`. */
export function matchLabels(
  filters: Filters,
  key: string,
  labels: Readonly<Record<string, string>> | null,
): boolean {
  return (filters.get(key) ?? []).every((wanted) => {
    const split = wanted.indexOf('=');
    const name = split < 0 ? wanted : wanted.slice(0, split);
    if (labels === null || !Object.hasOwn(labels, name)) return false;
    return split < 0 || labels[name] === wanted.slice(split + 1);
  });
}

/**
 * The value of a filter that is true or false (`1`, `true`, `0`, `false`), `fallback` where there is none. Throws
 * InvalidParameter `Invalid filter 'dangling=[x]'` for others and for both at once.
 */
export function booleanFilter(filters: Filters, key: string, fallback: boolean): boolean {
  const values = filters.get(key);
  if (values === undefined) return fallback;
  const isTrue = values.includes('1') || values.includes('true');
  const isFalse = values.includes('0') || values.includes('false');
  if (isTrue !== isFalse) return isTrue;
  throw new TsengineError('InvalidParameter', `Invalid filter '${key}=[${values.join(' ')}]'`);
}

function toRegExp(text: string): RegExp | undefined {
  try {
    return new RegExp(text, 'u');
  } catch {
    return undefined;
  }
}
