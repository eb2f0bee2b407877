import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { forEachName } from '../each.ts';
import { withEngine } from '../with-engine.ts';

interface RemoveOptions {
  readonly force?: boolean;
  readonly volumes?: boolean;
}

/** `tsengine rm`: removes containers that do not run, with `-f` also those that do. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] CONTAINER [CONTAINER...]')
    .argument('<container...>')
    .option('-f, --force', 'Force the removal of a running container (uses SIGKILL)')
    .option('-v, --volumes', 'Remove anonymous volumes associated with the container')
    .action(async (names: string[], options: RemoveOptions) => {
      await withEngine(context, (engine) =>
        forEachName(
          names,
          (name) => {
            const plain = name.replace(/^\/+/, '');
            if (plain === '') throw new TsengineError('InvalidParameter', 'Container name cannot be empty');
            return engine.containers.remove(plain, options);
          },
          { missingIsFine: options.force === true },
        ),
      );
    });
}
