import type { Command } from 'commander';
import type { LoadedImage } from '../../engine/api/services.ts';
import { TsengineError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { writeOutNow } from '../output.ts';
import { showProgress } from '../progress.ts';
import { readFileStream, readStandardInput } from '../streams.ts';
import { withEngine } from '../with-engine.ts';

interface LoadFlags {
  readonly input?: string;
  readonly quiet?: boolean;
}

/** `tsengine load`: reads images from a docker-save archive or an OCI layout. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS]')
    .option('-i, --input <string>', 'Read from tar archive file, instead of STDIN')
    .option('-q, --quiet', 'Suppress the load output')
    .action(async (flags: LoadFlags) => {
      if (flags.input === undefined && process.stdin.isTTY) {
        throw new TsengineError('InvalidParameter', 'requested load from stdin, but stdin is empty');
      }
      const { input } = flags;
      const archive = input === undefined ? readStandardInput() : readFileStream(input);
      await withEngine(context, async (engine) => {
        using progress = showProgress(flags.quiet);
        await engine.images.load(archive, {
          progress: progress.report,
          loaded: (image) => {
            progress.clear();
            writeOutNow(1, loadedText(image));
          },
          ...(input === undefined ? {} : { file: input }),
        });
      });
    });
}

function loadedText({ id, references }: LoadedImage): string {
  if (references.length === 0) return `Loaded image ID: ${id}\n`;
  return references.map((reference) => `Loaded image: ${reference}\n`).join('');
}
