/** The filters that Docker's `prune` commands share: `until`, `label` and `label!`. */
import { TsengineError } from '../../errors.ts';
import type { Filters } from '../api/services.ts';
import { checkFilters, matchLabels } from './filters.ts';
import { now, parseTimeOption } from './timestamp.ts';

/** What a prune filter looks at. */
export interface Prunable {
  /** Nanoseconds since 1970. */
  readonly created: bigint;
  readonly labels: Readonly<Record<string, string>> | null;
}

/**
 * The test that the filters come to. `more` are keys that the caller reads itself. Throws InvalidParameter in Docker's
 * words for other keys, for a time that is none and for two times.
 */
export function pruneFilter(filters: Filters, more: readonly string[] = []): (thing: Prunable) => boolean {
  checkFilters(filters, ['until', 'label', 'label!', ...more]);
  const [time, ...others] = filters.get('until') ?? [];
  if (others.length > 0) throw new TsengineError('InvalidParameter', 'more than one until filter specified');
  const until = time === undefined ? undefined : parseTimeOption(time, now());
  return ({ created, labels }) => {
    if (until !== undefined && created > until) return false;
    if (!matchLabels(filters, 'label', labels)) return false;
    return !filters.has('label!') || !matchLabels(filters, 'label!', labels);
  };
}
