import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { writeOut } from '../output.ts';
import { withEngine } from '../with-engine.ts';

interface LogsFlags {
  readonly follow?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly tail: string;
  readonly details?: boolean;
  readonly timestamps?: boolean;
}

/** `tsengine logs`: what a container wrote, standard output to ours and standard error to ours. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] CONTAINER')
    .argument('<container>')
    .option('--details', 'Show extra details provided to logs')
    .option('-f, --follow', 'Follow log output')
    .option(
      '--since <string>',
      'Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)',
    )
    .option(
      '--until <string>',
      'Show logs before a timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)',
    )
    .option('-n, --tail <string>', 'Number of lines to show from the end of the logs (default "all")', 'all')
    .option('-t, --timestamps', 'Show timestamps')
    .action(async (name: string, flags: LogsFlags) => {
      const { tail, ...rest } = flags;
      const lines = tailLines(tail);
      await withEngine(context, async (engine) => {
        const options = { ...rest, ...(lines === undefined ? {} : { tail: lines }) };
        for await (const { stream, data } of engine.containers.logs(name, options)) {
          await writeOut(stream === 'stdout' ? 1 : 2, data);
        }
      });
    });
}

/** `all` and, as in Docker, whatever is no number and a negative one mean every line. */
function tailLines(text: string): number | undefined {
  return /^\+?[0-9]+$/.test(text) ? Number(text) : undefined;
}
