/** Cells on ZFS: they want a machine of their own, of the release that its modules are compiled in, and some kernels have none. */
import type { KernelChoice } from '../types.ts';
import type { MatrixEvent } from './events.ts';
import { featureNames } from './features.ts';
import type { Left } from './findings.ts';
import { hasOwnZfs } from './own-kernel.ts';

/** Whether the lab makes machines with ZFS for the kernel: it compiles it for its own, and takes what a user's brings. */
export function hasZfsMachine(choice: KernelChoice): boolean {
  return typeof choice === 'string' || hasOwnZfs(choice);
}

/** Whether some of it is on ZFS. */
export function isOnZfs({ cells, features }: Left): boolean {
  return cells.some(({ backing }) => backing === 'zfs') || features.includes('zfs');
}

/** What one machine can do: what is on ZFS comes last, in a machine for it. */
export function oneSort(left: Left, choice: KernelChoice): Left {
  if (!hasZfsMachine(choice)) return left;
  const others = {
    cells: left.cells.filter(({ backing }) => backing !== 'zfs'),
    features: left.features.filter((backing) => backing !== 'zfs'),
  };
  return others.cells.length === 0 && others.features.length === 0 ? left : others;
}

/** What is known of a kernel that OpenZFS cannot be compiled for: it has none. */
export function withoutZfs({ cells, features }: Left, why: string): MatrixEvent[] {
  const reason = `zfs cannot be had here: ${why}`;
  const tests = { passed: 0, failed: 0, excused: 0 };
  return [
    ...cells.map(
      (cell): MatrixEvent => ({
        event: 'cell',
        cell: {
          ...cell,
          ...{ status: 'unavailable', unavailableOf: 'kernel', reasons: [reason], tests, seconds: 0 },
          log: reason,
        },
      }),
    ),
    ...features.map(
      (backing): MatrixEvent => ({
        event: 'features',
        backing,
        features: featureNames(backing).map((name) => ({ name, backing, answer: 'unknown', reason })),
      }),
    ),
  ];
}
