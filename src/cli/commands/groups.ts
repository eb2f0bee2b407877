import type { CommandEntry, CommandGroup } from '../command.ts';
import { driverCheck, rareGroups } from './rare.ts';

/** The commands that also go by a noun and a verb. */
type Shared =
  | 'commit'
  | 'create'
  | 'diff'
  | 'export'
  | 'history'
  | 'images'
  | 'import'
  | 'info'
  | 'kill'
  | 'load'
  | 'logs'
  | 'ps'
  | 'rm'
  | 'rmi'
  | 'run'
  | 'save'
  | 'start'
  | 'stop'
  | 'tag';

/** The same command under another name, which lists of commands leave out. */
function alias(entry: CommandEntry): CommandEntry {
  return { ...entry, hidden: true };
}

/** Docker's nouns: what the short commands do, by their long names, and what has no short one. */
export function commandGroups(
  leaves: Readonly<Record<Shared, CommandEntry>>,
): Readonly<Record<string, CommandGroup>> {
  const { commit, create, diff, export: export_, kill, logs, ps, rm, run, start, stop } = leaves;
  const { history, images, import: import_, load, rmi, save, tag, info } = leaves;
  return {
    container: {
      summary: 'Manage containers',
      commands: {
        ...{ commit, create, diff, export: export_ },
        inspect: {
          summary: 'Display detailed information on one or more containers',
          load: async () => (await import('./inspect.ts')).ofContainers,
          onlyReads: true,
        },
        ...{ kill, logs, ls: ps, list: alias(ps), ps: alias(ps) },
        prune: { summary: 'Remove all stopped containers', load: () => import('./container-prune.ts') },
        ...{ rm, run, start, stop },
      },
    },
    image: {
      summary: 'Manage images',
      commands: {
        ...{ history, import: import_ },
        inspect: {
          summary: 'Display detailed information on one or more images',
          load: async () => (await import('./inspect.ts')).ofImages,
          onlyReads: true,
        },
        ...{ load, ls: images, list: alias(images) },
        prune: { summary: 'Remove unused images', load: () => import('./image-prune.ts') },
        ...{ rm: rmi, remove: alias(rmi), save, tag },
      },
    },
    driver: {
      summary: 'Storage drivers: what serves here, checks, stores for tries',
      commands: {
        check: driverCheck,
        ls: {
          summary: 'List storage drivers and what this machine offers each',
          load: () => import('./driver-ls.ts'),
          onlyReads: true,
        },
        setup: {
          summary: 'Make a file system or pool on a file for a storage driver',
          load: () => import('./driver-setup.ts'),
          makesRoot: true,
        },
        teardown: {
          summary: 'Take away what driver setup made',
          load: () => import('./driver-teardown.ts'),
        },
      },
    },
    ...rareGroups,
    system: {
      summary: 'Manage tsengine',
      commands: {
        info,
        prune: { summary: 'Remove unused data', load: () => import('./system-prune.ts') },
      },
    },
  };
}
