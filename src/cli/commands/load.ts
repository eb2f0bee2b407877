import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { printLine } from '../output.ts';
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
      const archive = flags.input === undefined ? readStandardInput() : readFileStream(flags.input);
      await withEngine(context, async (engine) => {
        using progress = showProgress(flags.quiet);
        const loaded = await engine.images.load(archive, { progress: progress.report });
        progress[Symbol.dispose]();
        for (const { id, references } of loaded) {
          if (references.length === 0) await printLine(`Loaded image ID: ${id}`);
          for (const reference of references) await printLine(`Loaded image: ${reference}`);
        }
      });
    });
}
