import type { CommandEntry, CommandTable } from '../command.ts';
import { commandGroups } from './groups.ts';
import { rareInternals } from './rare.ts';

/** The exit code of Docker's `run` when no container ran. */
const NOT_RUN = 125;

/** The commands without a noun before them. */
const leaves = {
  commit: {
    summary: "Create a new image from a container's changes",
    load: () => import('./commit.ts'),
  },
  create: { summary: 'Create a new container', load: () => import('./create.ts'), flagsFirst: true },
  diff: {
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: () => import('./diff.ts'),
    onlyReads: true,
  },
  export: {
    summary: "Export a container's filesystem as a tar archive",
    load: () => import('./export.ts'),
    onlyReads: true,
  },
  history: { summary: 'Show the history of an image', load: () => import('./history.ts'), onlyReads: true },
  images: { summary: 'List images', load: () => import('./images.ts'), onlyReads: true },
  import: {
    summary: 'Import the contents from a tarball to create a filesystem image',
    load: () => import('./import.ts'),
    makesRoot: true,
  },
  info: {
    summary: 'Display system-wide information',
    load: () => import('./info.ts'),
    onlyReads: true,
    makesRoot: true,
  },
  inspect: {
    summary: 'Return low-level information on tsengine objects',
    load: () => import('./inspect.ts'),
    onlyReads: true,
  },
  'internal-exited': {
    summary: 'Record the end of a container; conmon calls this',
    load: () => import('./internal-exited.ts'),
    hidden: true,
  },
  kill: { summary: 'Kill one or more running containers', load: () => import('./kill.ts') },
  load: {
    summary: 'Load an image from a tar archive or STDIN',
    load: () => import('./load.ts'),
    makesRoot: true,
  },
  logs: { summary: 'Fetch the logs of a container', load: () => import('./logs.ts'), onlyReads: true },
  ps: { summary: 'List containers', load: () => import('./ps.ts'), onlyReads: true },
  rm: { summary: 'Remove one or more containers', load: () => import('./rm.ts') },
  rmi: { summary: 'Remove one or more images', load: () => import('./rmi.ts') },
  run: {
    summary: 'Run a command in a new container',
    load: () => import('./run.ts'),
    flagsFirst: true,
    failureExitCode: NOT_RUN,
  },
  save: {
    summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
    load: () => import('./save.ts'),
    onlyReads: true,
  },
  start: { summary: 'Start one or more stopped containers', load: () => import('./start.ts') },
  stop: { summary: 'Stop one or more running containers', load: () => import('./stop.ts') },
  tag: {
    summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
    load: () => import('./tag.ts'),
  },
  version: {
    summary: 'Show the tsengine version information',
    load: () => import('./version.ts'),
    onlyReads: true,
  },
} satisfies Record<string, CommandEntry>;

/** All commands of the command line, in the order of the alphabet, which is the order of `--help`. */
export const commands: CommandTable = { ...commandGroups(leaves), ...leaves, ...rareInternals };
