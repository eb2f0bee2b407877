import { isAlive, isInCgroupOf } from '../../linux/processes.ts';
import { isMonitored, readEnding } from '../runtime/run-dir.ts';
import type { ContainerState } from '../text/status.ts';
import { type ContainerServiceDeps, runOf } from './context.ts';
import { endedState, lostEnding } from './run-ending.ts';

/**
 * The state of a container in a data root that is only read, or is on a disk that is full: what is on record, or what the next command that may write
 * would record. While a dockerd works on the root its record is the truth.
 */
export function seenState<T extends ContainerState & { readonly Pid: number }>(
  context: Pick<ContainerServiceDeps, 'root'>,
  id: string,
  state: T,
): T {
  if (!state.Running || context.root.hasDockerd) return state;
  const run = runOf(context, id);
  const ending = readEnding(run);
  if (ending !== undefined) return endedState(state, ending);
  const runs = isMonitored(run) || (state.Pid > 0 && isAlive(state.Pid) && isInCgroupOf(state.Pid, id));
  const lost = runs ? undefined : lostEnding(state.Running, run);
  return lost === undefined ? state : endedState(state, lost);
}
