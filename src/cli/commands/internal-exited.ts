import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { withEngine } from '../with-engine.ts';

/** `tsengine internal-exited`: what conmon calls when a container has ended, to record that and to clean up. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('CONTAINER')
    .argument('<id>')
    .action((id: string) => withEngine(context, (engine) => engine.containers.recordExit(id)));
}
