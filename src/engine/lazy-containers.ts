import type { ContainerService } from './api/services.ts';

/** The container service, loaded when the first of its methods is called: commands on images never pay for it. */
export function lazyContainers(load: () => Promise<ContainerService>): ContainerService {
  return {
    create: async (request) => (await load()).create(request),
    start: async (name, options) => (await load()).start(name, options),
    wait: async (name) => (await load()).wait(name),
    stop: async (name, options) => (await load()).stop(name, options),
    kill: async (name, signal) => (await load()).kill(name, signal),
    remove: async (name, options) => (await load()).remove(name, options),
    prune: async (filters) => (await load()).prune(filters),
    recordExit: async (id) => (await load()).recordExit(id),
    list: async (options) => (await load()).list(options),
    inspect: async (name, options) => (await load()).inspect(name, options),
    changes: async (name) => (await load()).changes(name),
    async *export(name) {
      yield* (await load()).export(name);
    },
    commit: async (name, options) => (await load()).commit(name, options),
    async *logs(name, options) {
      yield* (await load()).logs(name, options);
    },
    resolve: async (name) => (await load()).resolve(name),
  };
}
