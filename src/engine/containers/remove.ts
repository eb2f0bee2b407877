import { TsengineError } from '../../errors.ts';
import { stateName } from '../text/status.ts';
import { type ContainerContext, readContainer } from './context.ts';
import { eraseContainer, lockToEnd, settleContainer } from './run-ending.ts';
import { killAndWait } from './stop.ts';

/** Options of a removal. */
export interface RemoveOptions {
  readonly force?: boolean;
  readonly volumes?: boolean;
}

/** `rm`: removes a container, with force also one that runs. Fails in Docker's words. */
export async function removeContainer(
  context: ContainerContext,
  id: string,
  options: RemoveOptions,
): Promise<void> {
  using _ = await lockToEnd(context, id, 'removal');
  let container = await settleContainer(context, readContainer(context, id));
  // It ended just now and was to be removed at its end.
  if (container === undefined) return;
  if (container.file.State.Running) {
    if (options.force !== true) {
      const state = stateName(container.file.State);
      const procedure = 'top the container before attempting removal or force remove';
      const advice = state === 'paused' ? `Unpause and then s${procedure}` : `S${procedure}`;
      throw new TsengineError('Conflict', `You cannot remove a ${state} container ${id}. ${advice}`);
    }
    await killAndWait(context, container);
    // No record of an end that nobody will read: what is left of the run goes with the container.
    container = {
      ...container,
      file: { ...container.file, State: { ...container.file.State, Running: false } },
    };
  }
  await eraseContainer(context, container, {
    volumes: options.volumes === true || container.hostConfig.AutoRemove,
  });
}
