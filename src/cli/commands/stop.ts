import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { forEachName } from '../each.ts';
import { intFlag } from '../flags/flag-error.ts';
import { withEngine } from '../with-engine.ts';

/** `tsengine stop`: asks the containers to end, and kills those that have not after a while. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] CONTAINER [CONTAINER...]')
    .argument('<container...>')
    .option('-t, --time <int>', 'Seconds to wait for stop before killing it (default 10)')
    .action(async (names: string[], options: { readonly time?: string }) => {
      const timeout = options.time === undefined ? undefined : intFlag('-t, --time', options.time);
      await withEngine(context, (engine) =>
        forEachName(names, (name) => engine.containers.stop(name, timeout === undefined ? {} : { timeout }), {
          atOnce: true,
        }),
      );
    });
}
