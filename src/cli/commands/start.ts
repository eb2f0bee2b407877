import type { Command } from 'commander';
import type { Engine } from '../../engine/api/services.ts';
import { TsengineError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { forEachName } from '../each.ts';
import { runInForeground } from '../foreground.ts';
import { withEngine } from '../with-engine.ts';

interface StartOptions {
  readonly attach?: boolean;
  readonly interactive?: boolean;
}

/** `tsengine start`: starts created or stopped containers; with `-a` or `-i` one of them, in the foreground. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] CONTAINER [CONTAINER...]')
    .argument('<container...>')
    .option('-a, --attach', 'Attach STDOUT/STDERR and forward signals')
    .option('-i, --interactive', "Attach container's STDIN")
    .action(async (names: string[], options: StartOptions) => {
      const attach = options.attach === true || options.interactive === true;
      if (attach && names.length > 1) {
        throw new TsengineError(
          'InvalidParameter',
          'you cannot start and attach multiple containers at once',
        );
      }
      await withEngine(context, async (engine) => {
        const [only] = names;
        if (!attach || only === undefined) {
          const failed = await forEachName(names, (name) => engine.containers.start(name));
          if (failed.length > 0)
            process.stderr.write(`tsengine: failed to start containers: ${failed.join(', ')}\n`);
          return;
        }
        const id = await engine.containers.resolve(only);
        process.exitCode = await attached(engine, id, options.interactive === true);
      });
    });
}

/** Starts it in the foreground. Unlike `run`, `docker start` has one exit code for whatever keeps a container from starting. */
async function attached(engine: Engine, id: string, stdin: boolean): Promise<number> {
  try {
    return await runInForeground(engine, id, { stdin, stdout: true, stderr: true, signalProxy: true });
  } catch (error) {
    if (!(error instanceof TsengineError)) throw error;
    throw new TsengineError(error.code, error.message, { cause: error, exitCode: 1 });
  }
}
