import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { refuseTerminal, writeStream } from '../streams.ts';
import { withEngine } from '../with-engine.ts';

/** `tsengine export`: writes a container's whole root filesystem as tar. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] CONTAINER')
    .argument('<container>')
    .option('-o, --output <string>', 'Write to a file, instead of STDOUT')
    .action(async (name: string, flags: { readonly output?: string }) => {
      if (flags.output === undefined) refuseTerminal();
      await withEngine(context, (engine) =>
        writeStream(engine.containers.export(name), flags.output, 'export container'),
      );
    });
}
