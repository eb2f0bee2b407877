import type { Command } from 'commander';
import {
  ABOUT_CACHE,
  features,
  type KernelFlags,
  kernelChoice,
  kernelFlags,
  tellProgress,
  untilInterrupted,
} from '../lab-flags.ts';
import { printLine } from '../output.ts';

interface BuildFlags extends KernelFlags {
  readonly fresh?: boolean;
  readonly quiet?: boolean;
}

const ABOUT = `Example:
  tsengine lab build --kernel debian:6.1 --with zfs

${ABOUT_CACHE}`;

/** `tsengine lab build`: makes what machines with a kernel need, so that `lab run` starts at once. Prints the names of the entries. */
export function register(command: Command): void {
  kernelFlags(command)
    .usage('[OPTIONS]')
    .description(ABOUT)
    .option('--fresh', 'Make kernel and root image anew, of the packages that the mirror has now')
    .option('-q, --quiet', 'Say nothing of what is being made')
    .action(async (flags: BuildFlags) => {
      const { buildImages } = await import('../../lab/lab.ts');
      const kernel = kernelChoice(flags);
      const chosen = features(flags);
      const names = await untilInterrupted(
        (signal) =>
          buildImages(kernel, chosen, {
            signal,
            fresh: flags.fresh === true,
            onProgress: tellProgress(flags.quiet),
          }),
        'what is half made is removed',
      );
      for (const name of names) await printLine(name);
    });
}
