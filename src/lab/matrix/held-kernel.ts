/** A kernel that stays as it is for as long as cells are run on it. */
import { join } from 'node:path';
import { errorMessage } from '../../errors.ts';
import { qemuVersion } from '../accelerator.ts';
import { type HeldEntry, LabCache } from '../cache.ts';
import type { LabContext } from '../context.ts';
import { kernelPlan, ownKernelPlan } from '../kernels.ts';
import type { KernelChoice, OwnKernel } from '../types.ts';
import type { Failure } from './findings.ts';
import { HOST } from './kernel-names.ts';
import { kernelIdentity, ownIdentity } from './own-kernel.ts';

/** Disposing lets go of it. */
export interface HeldKernel extends Disposable {
  /** Another text whenever it is another kernel, one of Debian's that was made anew among them. */
  readonly identity: string;
  /** What machines are started from: of a user's kernel the copy that is held, whatever becomes of its files. */
  readonly choice: KernelChoice;
  /** Why it could not be had. */
  readonly failure: Failure | null;
}

/**
 * Finds out which kernel it is. One of Debian's is fetched and a user's is copied when the cache has it not, and held: `lab build
 * --fresh` and `lab rm` wait or fail meanwhile. That it cannot be had is told in `failure`; fails on a file of the user's that is
 * no kernel, and when it is aborted.
 */
export async function holdKernel(choice: KernelChoice, context: LabContext): Promise<HeldKernel> {
  if (typeof choice !== 'string') return await holdOwn(choice, context);
  if (choice === HOST) return notHeld(choice, kernelIdentity(choice), null);
  try {
    // Nothing is fetched for a machine that cannot be started.
    qemuVersion();
    const cache = new LabCache(context);
    const entry = await cache.hold(kernelPlan(choice, cache, context));
    const { made, details } = entry.record;
    return holding(entry, choice, `${choice} ${details.release ?? ''} ${made}`);
  } catch (error) {
    return notHad(choice, choice, error, context);
  }
}

/** Its owner may go on building: a machine that is started later must not get what is built by then. */
async function holdOwn(choice: OwnKernel, context: LabContext): Promise<HeldKernel> {
  const plan = ownKernelPlan(choice, context);
  const identity = ownIdentity(choice, plan);
  try {
    qemuVersion();
    const entry = await new LabCache(context).hold(plan);
    const copy: OwnKernel = {
      path: join(entry.folder, 'vmlinuz'),
      ...(choice.modules === undefined ? {} : { modules: join(entry.folder, 'lib/modules') }),
      plan,
    };
    return holding(entry, copy, identity);
  } catch (error) {
    return notHad(choice, identity, error, context);
  }
}

function holding(entry: HeldEntry, choice: KernelChoice, identity: string): HeldKernel {
  return { choice, identity, failure: null, [Symbol.dispose]: () => entry[Symbol.dispose]() };
}

function notHad(choice: KernelChoice, identity: string, error: unknown, { signal }: LabContext): HeldKernel {
  signal?.throwIfAborted();
  return notHeld(choice, identity, { of: 'lab', error: errorMessage(error) });
}

function notHeld(choice: KernelChoice, identity: string, failure: Failure | null): HeldKernel {
  return { choice, identity, failure, [Symbol.dispose]: () => undefined };
}
