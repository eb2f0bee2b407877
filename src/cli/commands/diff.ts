import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { writeOut } from '../output.ts';
import { withEngine } from '../with-engine.ts';

/** Docker's letters for the kinds of change. */
const LETTERS = { modified: 'C', added: 'A', deleted: 'D' } as const;

/** `tsengine diff`: the paths that a container added, changed or deleted. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('CONTAINER')
    .argument('<container>')
    .action(async (name: string) => {
      if (name === '') throw new TsengineError('InvalidParameter', 'Container name cannot be empty');
      await withEngine(context, async (engine) => {
        const changes = await engine.containers.changes(name);
        const lines = changes.map(({ kind, path }) =>
          Buffer.concat([Buffer.from(`${LETTERS[kind]} `), path, Buffer.from('\n')]),
        );
        await writeOut(1, Buffer.concat(lines));
      });
    });
}
