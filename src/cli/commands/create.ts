import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { type ContainerFlags, containerFlags, containerRequest } from '../container-flags.ts';
import { createContainer } from '../create-container.ts';
import { printLine } from '../output.ts';
import { withEngine } from '../with-engine.ts';

/** `tsengine create`: makes a container and does not start it. */
export function register(command: Command, context: CommandContext): void {
  containerFlags(command)
    .usage('[OPTIONS] IMAGE [COMMAND] [ARG...]')
    .argument('<image>')
    .argument('[command...]')
    .action(async (image: string, words: string[], flags: ContainerFlags) => {
      const request = containerRequest(flags, image, words, false);
      await withEngine(context, async (engine) => {
        await printLine(await createContainer(engine, request, flags.cidfile));
      });
    });
}
