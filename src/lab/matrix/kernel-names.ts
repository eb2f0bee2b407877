/** How `--kernels` names kernels. */
import { suiteOf } from '../kernels.ts';
import type { KernelChoice } from '../types.ts';

/** The kernel that this machine runs. */
export const HOST = 'host';

/** A kernel that is given by a name: the host's, Debian's, or the path of a file of the user's. Fails with `InvalidParameter` on any other. */
export function kernelChoice(name: string): KernelChoice {
  if (name.includes('/')) return { path: name };
  if (name !== HOST) suiteOf(name);
  return name;
}
