/** The container service: each method in a file of its own, loaded when it is called. */
import { errorMessage, hasErrno } from '../../errors.ts';
import { pathExists } from '../../linux/files.ts';
import type { ContainerService } from '../api/services.ts';
import { withReserve } from '../reserve.ts';
import type { HostFacts } from '../runtime/spec/input.ts';
import { ContainerFolders } from './container-folders.ts';
import {
  type ContainerContext,
  type ContainerServiceDeps,
  isFullId,
  type ListContext,
  resolveName,
} from './context.ts';

/** New files and directories are for their owner to write and for all to read, whatever the caller's umask says. */
const UMASK = 0o022;

/** The context of everything but lists. */
async function openContext(deps: ContainerServiceDeps): Promise<ContainerContext> {
  const [{ ContainerStore }, { readHostFacts }] = await Promise.all([
    import('./container-store.ts'),
    import('../runtime/spec/host-facts.ts'),
  ]);
  let facts: HostFacts | undefined;
  const { cgroupDriver } = deps.settings;
  return {
    ...deps,
    store: new ContainerStore(deps.root, deps.driverName),
    attached: new Map(),
    pledges: new Map(),
    host: () => {
      facts ??= readHostFacts(cgroupDriver === undefined ? {} : { cgroupDriver });
      return facts;
    },
  };
}

/**
 * Makes the service on opened stores. Reads and locks nothing yet. Sets this process's umask to 022, as dockerd does:
 * containers inherit it, and must be able to read their `/etc/hosts`.
 */
export function createContainerService(deps: ContainerServiceDeps): ContainerService {
  process.umask(UMASK);
  const folders = new ContainerFolders(deps.root, deps.driverName);
  let opened: Promise<ContainerContext> | undefined;
  const open = (): Promise<ContainerContext> => {
    opened ??= openContext(deps);
    return opened;
  };
  const idOf = (name: string): Promise<string> => resolveName(folders, name);
  const recordEnd = async (id: string): Promise<void> => {
    const [{ recordEnd: record }, context] = await Promise.all([import('./wait.ts'), open()]);
    await record(context, id);
  };
  const recover = async (): Promise<void> => {
    if (deps.root.readOnly || !folders.mayNeedRecovery()) return;
    const [{ recoverContainers }, { recoverPledges }, context] = await Promise.all([
      import('./run-ending.ts'),
      import('./pledges.ts'),
      open(),
    ]);
    try {
      await withReserve(deps.root, async () => {
        await recoverPledges(context);
        await recoverContainers(context);
        if (!pathExists(folders.settledFile))
          await (await import('./after-boot.ts')).settleAfterBoot(context);
      });
    } catch (error) {
      // What frees space must go on, and what only looks.
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
      deps.warn(`what an interrupted command left of containers is not removed: ${errorMessage(error)}`);
    }
  };
  const lists: ListContext = { ...deps, store: folders, recordEnd, recover };
  return {
    create: async (request) => {
      await recover();
      const [{ createContainer }, context] = await Promise.all([import('./create.ts'), open()]);
      return await createContainer(context, request);
    },
    start: async (name, options = {}) => {
      const [{ startContainer }, context] = await Promise.all([import('./start.ts'), open()]);
      await startContainer(context, await idOf(name), options);
    },
    wait: async (name) => {
      const [{ waitForContainer }, context] = await Promise.all([import('./wait.ts'), open()]);
      // A full id may be that of a container that has gone meanwhile, whose exit code is still there to be had.
      return await waitForContainer(context, isFullId(name) ? name : await idOf(name));
    },
    stop: async (name, { timeout } = {}) => {
      const [{ stopContainer }, context] = await Promise.all([import('./stop.ts'), open()]);
      await stopContainer(context, () => idOf(name), timeout);
    },
    kill: async (name, signal) => {
      const [{ killContainer }, context] = await Promise.all([import('./stop.ts'), open()]);
      await killContainer(context, () => idOf(name), name, signal);
    },
    remove: async (name, options = {}) => {
      await recover();
      const [{ removeContainer }, context] = await Promise.all([import('./remove.ts'), open()]);
      await removeContainer(context, await idOf(name), options);
    },
    prune: async (filters) => {
      await recover();
      const [{ pruneContainers }, context] = await Promise.all([import('./prune.ts'), open()]);
      return await pruneContainers(context, filters);
    },
    recordExit: recordEnd,
    list: async (options) => {
      const { listContainers } = await import('./list.ts');
      return await listContainers(lists, options);
    },
    inspect: async (name, options) => {
      const [{ inspectContainer }, context] = await Promise.all([import('./inspect.ts'), open()]);
      return await inspectContainer(context, await idOf(name), options);
    },
    changes: async (name) => deps.layers.containerChanges(await idOf(name)),
    async *export(name) {
      const [{ exportContainer }, context] = await Promise.all([import('./export.ts'), open()]);
      yield* exportContainer(context, await idOf(name));
    },
    commit: async (name, options) => {
      const [{ commitContainer }, context] = await Promise.all([import('./commit.ts'), open()]);
      return await commitContainer(context, await idOf(name), options);
    },
    async *logs(name, options) {
      const [{ containerLogs }, context] = await Promise.all([import('./logs.ts'), open()]);
      yield* containerLogs(context, await idOf(name), options);
    },
    resolve: idOf,
  };
}
