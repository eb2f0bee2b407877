import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { listOption } from '../options.ts';
import { printLine } from '../output.ts';
import { withEngine } from '../with-engine.ts';

interface CommitFlags {
  readonly author?: string;
  readonly message?: string;
  readonly pause: boolean;
  readonly change: readonly string[];
}

/** `tsengine commit`: makes an image of what a container has become. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] CONTAINER [REPOSITORY[:TAG]]')
    .argument('<container>')
    .argument('[reference]')
    .option('-a, --author <string>', 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")')
    .addOption(listOption('-c, --change <list>', 'Apply Dockerfile instruction to the created image'))
    .option('-m, --message <string>', 'Commit message')
    .option('-p, --pause', 'Pause container during commit (default true)', true)
    .option('--no-pause', 'Let the container run during commit')
    .action(async (name: string, reference: string | undefined, flags: CommitFlags) => {
      await withEngine(context, async (engine) => {
        const id = await engine.containers.commit(name, {
          ...(reference === undefined ? {} : { reference }),
          ...(flags.author === undefined ? {} : { author: flags.author }),
          ...(flags.message === undefined ? {} : { message: flags.message }),
          changes: flags.change,
          pause: flags.pause,
        });
        await printLine(id);
      });
    });
}
