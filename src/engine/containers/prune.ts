import { errorMessage, TsengineError } from '../../errors.ts';
import { pathExists } from '../../linux/files.ts';
import type { Filters, PrunedContainers } from '../api/services.ts';
import { type Prunable, pruneFilter } from '../text/prune-filters.ts';
import { isZeroTime, parseTimestamp } from '../text/timestamp.ts';
import type { ContainerContext } from './context.ts';
import { eraseContainer, lockToEnd, settleContainer } from './run-ending.ts';

/** Removes the container if it does not run now and passes. Gives the bytes it had added; `undefined` when it stays. */
async function pruneOne(
  context: ContainerContext,
  id: string,
  passes: (thing: Prunable) => boolean,
): Promise<number | undefined> {
  using _ = await lockToEnd(context, id, 'removal');
  const stored = context.store.read(id);
  const container = stored === undefined ? undefined : await settleContainer(context, stored);
  if (container === undefined) return undefined;
  const { State, Created, Config } = container.file;
  if (State.Running) return undefined;
  // Somebody's `run --rm` is about to start it.
  if (isZeroTime(State.StartedAt) && pathExists(`${context.store.startingDir}/${id}`)) return undefined;
  if (!passes({ created: parseTimestamp(Created), labels: Config.Labels ?? null })) return undefined;
  const size = context.layers.containerLayer(id) === undefined ? 0 : await context.layers.containerSize(id);
  await eraseContainer(context, container, { volumes: container.hostConfig.AutoRemove });
  return size;
}

/** `docker container prune`: removes the containers that do not run. One that cannot be removed stays, with a warning. */
export async function pruneContainers(
  context: ContainerContext,
  filters: Filters,
): Promise<PrunedContainers> {
  const passes = pruneFilter(filters);
  const deleted: string[] = [];
  let spaceReclaimed = 0;
  for (const id of context.store.ids()) {
    try {
      const size = await pruneOne(context, id, passes);
      if (size === undefined) continue;
      deleted.push(id);
      spaceReclaimed += size;
    } catch (error) {
      if (!(error instanceof TsengineError)) throw error;
      context.warn(`failed to prune container ${id}: ${errorMessage(error)}`);
    }
  }
  return { deleted, spaceReclaimed };
}
