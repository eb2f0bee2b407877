import { setTimeout as sleep } from 'node:timers/promises';
import { pathExists, readTextIfAny } from '../../linux/files.ts';
import { waitForExit } from '../runtime/exit-watch.ts';
import { readEnding } from '../runtime/run-dir.ts';
import { type ContainerContext, noSuchContainer, runOf } from './context.ts';
import { eraseAbandoned } from './pledges.ts';
import { EXIT_KILLED, lockToEnd, settleContainer } from './run-ending.ts';

/** How long somebody else may take to remove a container whose end he is recording, before we ask again. Milliseconds. */
const REMOVAL_LOOK = 5;

/** The exit code that conmon left for those who wait, of a container that may be gone. */
function leftCode(exits: string, id: string): number | undefined {
  const code = Number.parseInt(readTextIfAny(`${exits}/${id}`) ?? '', 10);
  return Number.isNaN(code) ? undefined : code < 0 ? 255 : code;
}

function notFound(id: string): never {
  throw noSuchContainer(id);
}

/**
 * Waits for the end of a container's run and has it recorded, by us or by whoever is faster. Gives the exit code. A
 * container that does not run gives that of its last run at once.
 */
export async function waitForContainer(context: ContainerContext, id: string): Promise<number> {
  const { store, attached } = context;
  const run = runOf(context, id);
  const container = store.read(id);
  if (container === undefined) return leftCode(run.exits, id) ?? notFound(id);
  if (!container.file.State.Running && !pathExists(run.path)) return container.file.State.ExitCode;
  const attachment = attached.get(id);
  await attachment?.ended;
  await waitForExit(run, attachment !== undefined);
  attached.delete(id);
  // Read before the record is made, because a container that is removed at its end takes its files along.
  const seen = readEnding(run)?.code ?? leftCode(run.exits, id);
  const recorded = await recordEnd(context, id);
  while (container.hostConfig.AutoRemove && store.exists(id) && recorded === undefined)
    await sleep(REMOVAL_LOOK);
  // Nobody left a code: conmon was killed, and the container with it.
  return seen ?? recorded ?? leftCode(run.exits, id) ?? EXIT_KILLED;
}

/**
 * Records the end of a container's run if it has ended and nobody did yet, and removes the container if it is to be
 * removed. Gives the exit code on record, `undefined` when the container is gone. Idempotent; this is what conmon's exit
 * command comes to.
 */
export async function recordEnd(context: ContainerContext, id: string): Promise<number | undefined> {
  using _ = await lockToEnd(context, id);
  const container = context.store.read(id);
  if (container === undefined) return undefined;
  // conmon calls us as well where its starter died before the container ran.
  if (await eraseAbandoned(context, id)) return undefined;
  const settled = await settleContainer(context, container);
  return settled?.file.State.ExitCode;
}
