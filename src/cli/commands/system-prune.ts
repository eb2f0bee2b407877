import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { parseFilters } from '../format/filter.ts';
import { listOption } from '../options.ts';
import { writeOut } from '../output.ts';
import {
  confirm,
  deletedContainers,
  deletedImages,
  FILTER_FLAG,
  imageFilters,
  type PruneFlags,
  reclaimed,
} from '../prune.ts';
import { withEngine } from '../with-engine.ts';

/** Docker's words, for what there is to remove here. */
function warning(filters: ReadonlyMap<string, readonly string[]>, all: boolean): string {
  const images = all ? 'all images without at least one container associated to them' : 'all dangling images';
  const lines = ['WARNING! This will remove:', '  - all stopped containers', `  - ${images}`, ''];
  if (filters.size > 0) {
    const given = [...filters].flatMap(([key, values]) => values.map((value) => `  - ${key}=${value}`));
    lines.push('  Items to be pruned will be filtered with:', ...given.sort(), '');
  }
  return lines.join('\n');
}

/** `tsengine system prune`: removes containers that do not run, and then images that nothing uses. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS]')
    .option('-a, --all', 'Remove all unused images not just dangling ones')
    .addOption(listOption('--filter <filter>', "Provide filter values (e.g. 'label=<key>=<value>')"))
    .option('-f, --force', 'Do not prompt for confirmation')
    .action(async (flags: PruneFlags & { readonly all?: boolean }) => {
      const all = flags.all === true;
      const filters = parseFilters(flags.filter, FILTER_FLAG);
      if (flags.force !== true && !(await confirm(warning(filters, all)))) return;
      await withEngine(context, async (engine) => {
        const containers = await engine.containers.prune(filters);
        await writeOut(1, deletedContainers(containers.deleted));
        const images = await engine.images.prune(imageFilters(filters, all));
        await writeOut(1, deletedImages(images.deleted));
        await writeOut(1, reclaimed(containers.spaceReclaimed + images.spaceReclaimed));
      });
    });
}
