/**
 * `run --rm` makes a container and starts it at once. When it is killed in between nobody has heard of the container and
 * nobody will remove it. So it leaves a pledge, `<exec-root>/starting/<id>`, locked as long as it lives, from before the
 * container exists until it runs. A pledge that nobody holds stands for a container that is to go.
 */
import { listDirectory, makeDirectories, pathExists } from '../../linux/files.ts';
import { type Lock, tryLockFile } from '../../linux/flock.ts';
import { isZeroTime } from '../text/timestamp.ts';
import type { ContainerContext } from './context.ts';
import { eraseContainer } from './run-ending.ts';

function take(context: ContainerContext, id: string): Lock | undefined {
  return tryLockFile(`${context.store.startingDir}/${id}`, 'exclusive', { ephemeral: true });
}

/** Pledges to start the container that is about to be made. */
export function pledge(context: ContainerContext, id: string): void {
  makeDirectories(context.store.startingDir, 0o700);
  const lock = take(context, id);
  if (lock !== undefined) context.pledges.set(id, lock);
}

/** The container runs, or never will: the pledge is kept. Harmless where there is none. */
export function redeem(context: ContainerContext, id: string): void {
  context.pledges.get(id)?.release();
  context.pledges.delete(id);
}

/** The container does not run, and could not be removed either: the next command is to try that again. */
export function breakPledge(context: ContainerContext, id: string): void {
  context.pledges.get(id)?.leave();
  context.pledges.delete(id);
}

/** Removes the containers of those who died before they could start them. One directory listing when there are none. */
export async function recoverPledges(context: ContainerContext): Promise<void> {
  for (const id of listDirectory(context.store.startingDir)) {
    if (context.pledges.has(id)) continue;
    using container = context.store.tryLock(id);
    if (container !== undefined) await eraseAbandoned(context, id);
  }
}

/**
 * Removes the container if whoever pledged to start it has died. The caller holds its lock. It is gone for others at once, before
 * what it needed is cleared away. Gives whether it was one.
 */
export async function eraseAbandoned(context: ContainerContext, id: string): Promise<boolean> {
  if (context.pledges.has(id) || !pathExists(`${context.store.startingDir}/${id}`)) return false;
  using pledged = take(context, id);
  if (pledged === undefined) return false;
  const stored = context.store.read(id);
  if (stored === undefined || !isZeroTime(stored.file.State.StartedAt)) return false;
  try {
    await eraseContainer(context, stored, { volumes: true });
  } catch (error) {
    pledged.leave();
    throw error;
  }
  return true;
}
