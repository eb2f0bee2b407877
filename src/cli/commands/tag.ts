import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { withEngine } from '../with-engine.ts';

/** `tsengine tag`: gives an image one more name. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]')
    .argument('<source>')
    .argument('<target>')
    .action(async (source: string, target: string) => {
      await withEngine(context, (engine) => engine.images.tag(source, target));
    });
}
