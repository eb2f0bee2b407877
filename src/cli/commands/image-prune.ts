import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { parseFilters } from '../format/filter.ts';
import { listOption } from '../options.ts';
import { writeOut } from '../output.ts';
import { confirm, deletedImages, FILTER_FLAG, imageFilters, type PruneFlags, reclaimed } from '../prune.ts';
import { withEngine } from '../with-engine.ts';

const DANGLING = 'WARNING! This will remove all dangling images.';
const ALL = 'WARNING! This will remove all images without at least one container associated to them.';

/** `tsengine image prune`: removes images that nothing uses. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS]')
    .option('-a, --all', 'Remove all unused images, not just dangling ones')
    .addOption(listOption('--filter <filter>', "Provide filter values (e.g. 'until=<timestamp>')"))
    .option('-f, --force', 'Do not prompt for confirmation')
    .action(async (flags: PruneFlags & { readonly all?: boolean }) => {
      const all = flags.all === true;
      const filters = imageFilters(parseFilters(flags.filter, FILTER_FLAG), all);
      if (flags.force !== true && !(await confirm(all ? ALL : DANGLING))) {
        return await writeOut(1, reclaimed(0));
      }
      const pruned = await withEngine(context, (engine) => engine.images.prune(filters));
      await writeOut(1, deletedImages(pruned.deleted) + reclaimed(pruned.spaceReclaimed));
    });
}
