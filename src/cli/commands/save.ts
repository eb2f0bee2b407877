import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { showProgress } from '../progress.ts';
import { refuseTerminal, writeStream } from '../streams.ts';
import { withEngine } from '../with-engine.ts';

/** `tsengine save`: writes images as one archive that `load`, Docker and podman read. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] IMAGE [IMAGE...]')
    .argument('<image...>')
    .option('-o, --output <string>', 'Write to a file, instead of STDOUT')
    .action(async (names: string[], flags: { readonly output?: string }) => {
      if (flags.output === undefined) refuseTerminal();
      await withEngine(context, async (engine) => {
        using progress = showProgress();
        const archive = engine.images.save(names, { progress: progress.report });
        await writeStream(archive, flags.output, 'save image');
      });
    });
}
