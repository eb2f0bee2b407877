/** The container service: each method in a file of its own, loaded when it is called. */
import type { ContainerService } from '../api/services.ts';
import { readHostFacts } from '../runtime/spec/host-facts.ts';
import type { HostFacts } from '../runtime/spec/input.ts';
import { ContainerStore } from './container-store.ts';
import { type ContainerContext, type ContainerServiceDeps, resolveName } from './context.ts';

/** New files and directories are for their owner to write and for all to read, whatever the caller's umask says. */
const UMASK = 0o022;

function contextOf(deps: ContainerServiceDeps): ContainerContext {
  let facts: HostFacts | undefined;
  const { cgroupDriver } = deps.settings;
  return {
    ...deps,
    store: new ContainerStore(deps.root),
    attached: new Map(),
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
  const context = contextOf(deps);
  const idOf = (name: string): Promise<string> => resolveName(context, name);
  return {
    create: async (request) => {
      const [{ createContainer }, { recoverContainers }] = await Promise.all([
        import('./create.ts'),
        import('./run-ending.ts'),
      ]);
      await recoverContainers(context);
      return await createContainer(context, request);
    },
    start: async (name, options = {}) => {
      const { startContainer } = await import('./start.ts');
      await startContainer(context, await idOf(name), options);
    },
    wait: async (name) => {
      const { waitForContainer } = await import('./wait.ts');
      return await waitForContainer(context, await idOf(name));
    },
    stop: async (name, { timeout } = {}) => {
      const { stopContainer } = await import('./stop.ts');
      await stopContainer(context, await idOf(name), timeout);
    },
    kill: async (name, signal) => {
      const { killContainer } = await import('./stop.ts');
      await killContainer(context, await idOf(name), name, signal);
    },
    remove: async (name, options = {}) => {
      const [{ removeContainer }, { recoverContainers }] = await Promise.all([
        import('./remove.ts'),
        import('./run-ending.ts'),
      ]);
      await recoverContainers(context);
      await removeContainer(context, await idOf(name), options);
    },
    recordExit: async (id) => {
      const { recordEnd } = await import('./wait.ts');
      await recordEnd(context, id);
    },
    list: async (options) => {
      const { listContainers } = await import('./list.ts');
      return await listContainers(context, options);
    },
    inspect: async (name, options) => {
      const { inspectContainer } = await import('./inspect.ts');
      return await inspectContainer(context, await idOf(name), options);
    },
    changes: async (name) => context.layers.containerChanges(await idOf(name)),
    async *export(name) {
      const { exportContainer } = await import('./export.ts');
      yield* exportContainer(context, await idOf(name));
    },
    commit: async (name, options) => {
      const { commitContainer } = await import('./commit.ts');
      return await commitContainer(context, await idOf(name), options);
    },
    async *logs(name, options) {
      const { containerLogs } = await import('./logs.ts');
      yield* containerLogs(context, await idOf(name), options);
    },
    resolve: idOf,
  };
}
