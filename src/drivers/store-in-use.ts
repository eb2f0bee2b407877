import { TsengineError } from '../errors.ts';
import { holdersOf, holdersText } from '../linux/mount-holders.ts';
import type { StorePlace } from './driver.ts';

/**
 * The error for a store that cannot be detached because something works in it: with who does, but for the processes that only
 * serve it, and how to go on.
 */
export function storeInUse(
  { home, teardown }: StorePlace,
  cause?: unknown,
  servers: readonly number[] = [],
): TsengineError {
  const holders = holdersText(holdersOf(home, servers));
  const by = holders === undefined ? '' : ` (${holders})`;
  return new TsengineError(
    'Conflict',
    `${home} is in use: stop what works in it${by}, containers first, then go on with ${teardown}`,
    { cause },
  );
}
