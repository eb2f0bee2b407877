/** What a result is good for: the same code, the same kernel, the same conditions, and the same programs in the machines. */
import { LabCache } from '../cache.ts';
import type { LabContext } from '../context.ts';
import { suiteOfChoice } from '../kernels.ts';
import { rootPlan } from '../root-image.ts';
import type { KernelChoice } from '../types.ts';
import type { MatrixEvent } from './events.ts';
import { HOST } from './kernel-names.ts';
import { hasZfsMachine } from './zfs-apart.ts';

/**
 * The keys of one kernel's results. They hang on the root images that are in the cache when they are asked for, since mkfs and
 * bindfs come from there: the one of machines with ZFS, and the other. None is made for them.
 */
export interface ResultKeys {
  /** All under which something may be known. */
  all(): readonly string[];
  /** Those of an event, which is told while the image that its machine is started from is held. */
  of(event: MatrixEvent): readonly string[];
}

/** The keys of results that `conditions` makes others of, on a kernel that is started from `choice`. */
export function resultKeys(conditions: string, choice: KernelChoice, context: LabContext): ResultKeys {
  if (choice === HOST) return { all: () => [conditions], of: () => [conditions] };
  const withZfs = hasZfsMachine(choice);
  const cache = new LabCache(context);
  const key = (isOnZfs: boolean): string =>
    `${conditions} ${rootIdentity(choice, isOnZfs && withZfs, cache, context)}`;
  const all = (): string[] => [...new Set([key(false), key(true)])];
  return {
    all,
    of: (event) => {
      // Which kernel it is, and that it booted, is good with either.
      if (event.event === 'cell') return [key(event.cell.backing === 'zfs')];
      return event.event === 'features' ? [key(event.backing === 'zfs')] : all();
    },
  };
}

/** The image by its name and by when it was made: `lab build --fresh` fetches other programs. */
function rootIdentity(choice: KernelChoice, withZfs: boolean, cache: LabCache, context: LabContext): string {
  const entry = cache.has(rootPlan(withZfs ? ['zfs'] : [], cache, context, suiteOfChoice(choice)));
  return entry === undefined ? 'no-root' : `${entry.name} ${entry.record.made}`;
}
