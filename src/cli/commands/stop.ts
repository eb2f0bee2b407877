import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { forEachName } from '../each.ts';
import { withEngine } from '../with-engine.ts';

/** `tsengine stop`: asks the containers to end, and kills those that have not after a while. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] CONTAINER [CONTAINER...]')
    .argument('<container...>')
    .option('-t, --time <int>', 'Seconds to wait for stop before killing it (default 10)')
    .action(async (names: string[], options: { readonly time?: string }) => {
      const timeout = options.time === undefined ? undefined : seconds(options.time);
      await withEngine(context, (engine) =>
        forEachName(names, (name) => engine.containers.stop(name, timeout === undefined ? {} : { timeout })),
      );
    });
}

function seconds(text: string): number {
  if (/^-?[0-9]+$/.test(text)) return Number(text);
  throw new TsengineError(
    'InvalidParameter',
    `invalid argument "${text}" for "-t, --time" flag: strconv.ParseInt: parsing "${text}": invalid syntax`,
    { exitCode: 125 },
  );
}
