import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { parseFilters } from '../format/filter.ts';
import { listOption } from '../options.ts';
import { writeOut } from '../output.ts';
import { confirm, deletedContainers, FILTER_FLAG, type PruneFlags, reclaimed } from '../prune.ts';
import { withEngine } from '../with-engine.ts';

/** `tsengine container prune`: removes containers that do not run. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS]')
    .addOption(listOption('--filter <filter>', "Provide filter values (e.g. 'until=<timestamp>')"))
    .option('-f, --force', 'Do not prompt for confirmation')
    .action(async (flags: PruneFlags) => {
      const filters = parseFilters(flags.filter, FILTER_FLAG);
      if (flags.force !== true && !(await confirm('WARNING! This will remove all stopped containers.'))) {
        return await writeOut(1, reclaimed(0));
      }
      const pruned = await withEngine(context, (engine) => engine.containers.prune(filters));
      await writeOut(1, deletedContainers(pruned.deleted) + reclaimed(pruned.spaceReclaimed));
    });
}
