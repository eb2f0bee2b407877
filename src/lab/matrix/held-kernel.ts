/** A kernel that stays as it is for as long as cells are run on it. */
import { errorMessage } from '../../errors.ts';
import { LabCache } from '../cache.ts';
import type { LabContext } from '../context.ts';
import { kernelPlan } from '../kernels.ts';
import type { KernelChoice } from '../types.ts';
import type { Failure } from './findings.ts';
import { HOST } from './kernel-names.ts';
import { kernelIdentity } from './own-kernel.ts';

/** Disposing lets go of it. */
export interface HeldKernel extends Disposable {
  /** Another text whenever it is another kernel, one of Debian's that was made anew among them. */
  readonly identity: string;
  /** Why it could not be had. */
  readonly failure: Failure | null;
}

/**
 * Finds out which kernel it is. One of Debian's is fetched when the cache has none, and held: `lab build --fresh` and `lab rm`
 * wait or fail meanwhile. That it cannot be had is told in `failure`; fails on a file of the user's that is no kernel, and when it is aborted.
 */
export async function holdKernel(choice: KernelChoice, context: LabContext): Promise<HeldKernel> {
  const nothing = { [Symbol.dispose]: () => undefined };
  if (choice === HOST || typeof choice !== 'string')
    return { identity: kernelIdentity(choice), failure: null, ...nothing };
  try {
    const cache = new LabCache(context);
    const entry = await cache.hold(kernelPlan(choice, cache, context));
    const { made, details } = entry.record;
    return {
      identity: `${choice} ${details.release ?? ''} ${made}`,
      failure: null,
      [Symbol.dispose]: () => entry[Symbol.dispose](),
    };
  } catch (error) {
    context.signal?.throwIfAborted();
    return { identity: choice, failure: { of: 'lab', error: errorMessage(error) }, ...nothing };
  }
}
