import type { Command } from 'commander';
import { errorMessage, TsengineError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { printLine, ReaderGone } from '../output.ts';
import { withEngine } from '../with-engine.ts';

interface RemoveImageOptions {
  readonly force?: boolean;
  readonly noPrune?: boolean;
}

/** `tsengine rmi`: takes names from images, and removes images that have none left. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] IMAGE [IMAGE...]')
    .argument('<image...>')
    .option('-f, --force', 'Force removal of the image')
    .option('--no-prune', 'Do not delete untagged parents')
    .action(async (names: string[], options: RemoveImageOptions & { readonly prune?: boolean }) => {
      const { force = false, prune = true } = options;
      await withEngine(context, async (engine) => {
        for (const name of names) {
          try {
            for (const item of await engine.images.remove(name, { force, noPrune: !prune })) {
              await printLine('Untagged' in item ? `Untagged: ${item.Untagged}` : `Deleted: ${item.Deleted}`);
            }
          } catch (error) {
            if (error instanceof ReaderGone) throw error;
            const isMissing = name === '' || (error instanceof TsengineError && error.code === 'NotFound');
            const message = isMissing ? `No such image: ${name}` : errorMessage(error);
            process.stderr.write(`tsengine: ${message}\n`);
            if (!isMissing || !force) process.exitCode = 1;
          }
        }
      });
    });
}
