/** How `--kernels` names kernels. */
import { properName, suiteOf } from '../kernels.ts';
import type { KernelChoice } from '../types.ts';

/** The kernel that this machine runs. */
export const HOST = 'host';

/** The names of different kernels, as they were given: of two names for one the first. */
export function withoutRepeats(names: readonly string[]): readonly string[] {
  const proper = names.map(properName);
  return names.filter((_, index) => proper.indexOf(proper[index] ?? '') === index);
}

/** A kernel that is given by a name: the host's, Debian's, or the path of a file of the user's. Fails with `InvalidParameter` on any other. */
export function kernelChoice(name: string): KernelChoice {
  if (name.includes('/')) return { path: name };
  if (name !== HOST) suiteOf(name);
  return name;
}
