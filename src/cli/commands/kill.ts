import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { forEachName } from '../each.ts';
import { withEngine } from '../with-engine.ts';

/** `tsengine kill`: sends a signal to the first process of running containers. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] CONTAINER [CONTAINER...]')
    .argument('<container...>')
    .option('-s, --signal <string>', 'Signal to send to the container', 'KILL')
    .action(async (names: string[], options: { readonly signal: string }) => {
      await withEngine(context, (engine) =>
        forEachName(names, (name) => engine.containers.kill(name, options.signal)),
      );
    });
}
