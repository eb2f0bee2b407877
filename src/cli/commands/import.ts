import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { listOption } from '../options.ts';
import { printLine } from '../output.ts';
import { showProgress } from '../progress.ts';
import { readFileStream, readStandardInput, readUrl } from '../streams.ts';
import { withEngine } from '../with-engine.ts';

interface ImportFlags {
  readonly change: readonly string[];
  readonly message?: string;
  readonly platform?: string;
}

/** `tsengine import`: makes an image of one layer from a root filesystem as tar. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] file|URL|- [REPOSITORY[:TAG]]')
    .argument('<source>')
    .argument('[reference...]')
    .addOption(listOption('-c, --change <list>', 'Apply Dockerfile instruction to the created image'))
    .option('-m, --message <string>', 'Set commit message for imported image')
    .option('--platform <string>', 'Set platform if server is multi-platform capable')
    .action(async (source: string, [reference]: readonly string[], flags: ImportFlags) => {
      await withEngine(context, async (engine) => {
        using progress = showProgress();
        const id = await engine.images.import(open(source), {
          ...(reference === undefined ? {} : { reference }),
          ...(flags.message === undefined ? {} : { message: flags.message }),
          ...(flags.platform === undefined ? {} : { platform: flags.platform }),
          changes: flags.change,
          progress: progress.report,
        });
        progress.clear();
        await printLine(id);
      });
    });
}

function open(source: string): AsyncIterable<Buffer> {
  if (source === '-') return readStandardInput();
  return /^https?:\/\//.test(source) ? readUrl(source) : readFileStream(source);
}
