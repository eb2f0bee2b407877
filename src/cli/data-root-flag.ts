import type { Command } from 'commander';
import type { CommandContext } from './command.ts';
import { UsageError } from './usage-error.ts';

/** The value of the flag below, as commander gives it. */
export interface DataRootFlag {
  readonly dataRoot?: string;
}

/** Adds the flag `--data-root` to a command of `driver`, which takes the global one as well. */
export function addDataRootFlag(command: Command, description: string): Command {
  return command.option('--data-root <path>', description);
}

/** A command's context with the data root that stands behind its name, or else before it. */
export function withDataRoot(context: CommandContext, { dataRoot }: DataRootFlag): CommandContext {
  if (dataRoot === undefined) return context;
  if (dataRoot === '') {
    const help = `See '${context.commandPath} --help'.`;
    throw new UsageError(`--data-root is empty: name a folder.\n${help}`, 125);
  }
  return { ...context, globals: { ...context.globals, dataRoot } };
}
