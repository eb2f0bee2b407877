import type { CommandEntry, CommandGroup } from '../command.ts';

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
      summary: 'Look at storage drivers',
      commands: {
        check: {
          summary: 'Try whether a storage driver keeps its promises here',
          load: () => import('./driver-check.ts'),
          failureExitCode: 125,
          oneIsAnswer: true,
        },
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
    bench: {
      summary: 'Measure storage drivers side by side',
      itself: {
        summary: 'Measure storage drivers against each other on this disk',
        load: () => import('./bench.ts'),
        failureExitCode: 125,
        onlyReads: true,
      },
      commands: {
        compare: {
          summary: 'Say what has become slower and what faster between two results',
          load: () => import('./bench-compare.ts'),
          failureExitCode: 125,
          oneIsAnswer: true,
          onlyReads: true,
        },
        list: {
          summary: 'List what the benchmark measures',
          load: () => import('./bench-list.ts'),
          onlyReads: true,
        },
        report: {
          summary: 'Write a result as a page, as Markdown and as charts',
          load: () => import('./bench-report.ts'),
          failureExitCode: 125,
          oneIsAnswer: true,
          onlyReads: true,
        },
      },
    },
    lab: {
      summary: 'Run tsengine on other kernels and filesystems',
      commands: {
        build: {
          summary: 'Make what machines with a kernel need',
          load: () => import('./lab-build.ts'),
          onlyReads: true,
        },
        kernels: { summary: 'List kernels', load: () => import('./lab-kernels.ts'), onlyReads: true },
        ls: {
          summary: "List what is in the lab's cache",
          load: () => import('./lab-ls.ts'),
          onlyReads: true,
        },
        matrix: {
          summary: 'Try every storage driver on kernels and filesystems',
          load: () => import('./lab-matrix.ts'),
          failureExitCode: 125,
          oneIsAnswer: true,
          onlyReads: true,
        },
        rm: {
          summary: "Remove entries of the lab's cache",
          load: () => import('./lab-rm.ts'),
          onlyReads: true,
        },
        run: {
          summary: 'Run a command in a virtual machine with another kernel',
          load: () => import('./lab-run.ts'),
          flagsFirst: true,
          failureExitCode: 125,
          oneIsAnswer: true,
          onlyReads: true,
        },
        shell: {
          summary: 'Start a shell in a virtual machine with another kernel',
          load: () => import('./lab-shell.ts'),
          flagsFirst: true,
          failureExitCode: 125,
          oneIsAnswer: true,
          onlyReads: true,
        },
      },
    },
    system: {
      summary: 'Manage tsengine',
      commands: {
        info,
        prune: { summary: 'Remove unused data', load: () => import('./system-prune.ts') },
      },
    },
  };
}
