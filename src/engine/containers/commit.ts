import { hasErrno, TsengineError } from '../../errors.ts';
import { SyscallError } from '../../linux/errno.ts';
import type { CommitOptions } from '../api/services.ts';
import type { Image } from '../images/types.ts';
import { whileFrozen } from '../runtime/freeze.ts';
import { findRuntime } from '../runtime/oci-runtime.ts';
import type { StoredContainer } from './container-file.ts';
import { bareName, type ContainerContext, noSuchContainer, readContainer, runOf } from './context.ts';
import { settleContainer } from './run-ending.ts';

/** The image the container was made from; `undefined` when it has gone or there was none. */
function imageOf(context: ContainerContext, id: string): Image | undefined {
  if (id === '') return undefined;
  try {
    return context.images.resolve(id);
  } catch (error) {
    if (error instanceof TsengineError && error.code === 'NotFound') return undefined;
    throw error;
  }
}

/** A system call that failed, in words about the container. Other errors are as they are. */
function commitFailure(container: StoredContainer, error: unknown): unknown {
  const cause = error instanceof TsengineError ? error.cause : error;
  if (!(error instanceof Error) || !(cause instanceof SyscallError)) return error;
  const member = /^cannot unpack (".*"): .*$/.exec(error.message)?.[1];
  const what =
    member === undefined ? error.message : `cannot write ${member} into the new layer: ${cause.reason}`;
  const advice = hasErrno(cause, 'ENOSPC', 'EDQUOT') ? ': remove what is not needed, and commit again' : '';
  const code = error instanceof TsengineError ? error.code : 'System';
  return new TsengineError(code, `cannot commit container ${bareName(container)}: ${what}${advice}`, {
    cause: error,
  });
}

/**
 * `commit`: makes an image of a container. One that runs is frozen meanwhile, so that files that belong together are
 * seen together. The container's lock is held: it is neither stopped nor removed under our hands.
 */
export async function commitContainer(
  context: ContainerContext,
  id: string,
  options: CommitOptions = {},
): Promise<string> {
  using _ = await context.store.lock(id);
  const container = await settleContainer(context, readContainer(context, id));
  if (container === undefined) throw noSuchContainer(id);
  const { file, hostConfig } = container;
  if (file.State.Dead) throw new TsengineError('Conflict', `You cannot commit container ${id} which is Dead`);
  const commit = () =>
    context.images.commit({
      containerId: id,
      image: imageOf(context, file.Image),
      config: file.Config,
      containerConfig: file.Config,
      changes: options.changes ?? [],
      author: options.author ?? '',
      message: options.message ?? '',
      reference: options.reference,
    });
  try {
    if (!file.State.Running || file.State.Paused || options.pause === false) return await commit();
    const runtime = findRuntime(hostConfig.Runtime ?? '', context.settings, context.root.execRoot);
    return await whileFrozen(runOf(context, id), runtime, commit);
  } catch (error) {
    throw commitFailure(container, error);
  }
}
