import type { CommandEntry, CommandGroup } from '../command.ts';

/*
 * Commands for which nobody waits a tenth of a second: with what they need they are more than a third of the program. In the bundle
 * they are in a program of their own (scripts/build.ts), which the others need not read. What this file imports is in no other.
 */

/** `tsengine driver check`. */
export const driverCheck: CommandEntry = {
  summary: 'Try whether a storage driver keeps its promises here',
  load: () => import('./driver-check.ts'),
  failureExitCode: 125,
  oneIsAnswer: true,
};

/** What `tsengine bench` and `tsengine lab` start, on this kernel and others. */
export const rareInternals = {
  'internal-bench': {
    summary: 'Measure parts of the benchmark; tsengine bench calls this',
    load: () => import('./internal-bench.ts'),
    hidden: true,
  },
  'internal-lab-cells': {
    summary: 'Run cells of the matrix on this kernel; tsengine lab matrix calls this',
    load: () => import('./internal-lab-cells.ts'),
    hidden: true,
  },
} satisfies Record<string, CommandEntry>;

/** Measuring, and trying on other kernels. */
export const rareGroups = {
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
} satisfies Record<string, CommandGroup>;
