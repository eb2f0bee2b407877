import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import { forEachName } from '../each.ts';
import { ABOUT_CACHE } from '../lab-flags.ts';
import { printLine } from '../output.ts';

interface RemoveFlags {
  readonly all?: boolean;
  readonly unused?: boolean;
}

const ABOUT = `Names are those of 'tsengine lab ls'. What a machine runs from is not removed.
What is needed again is made again: a kernel or a root image in minutes, OpenZFS
for a kernel in ten or more.

Examples:
  tsengine lab rm root-docker-07a341ba667e
  tsengine lab rm --unused    after an update of tsengine or a build --fresh

${ABOUT_CACHE}`;

/** `tsengine lab rm`: removes entries of the lab's cache; what is needed again is made again. */
export function register(command: Command): void {
  command
    .usage('[OPTIONS] [NAME...]')
    .description(ABOUT)
    .argument('[name...]')
    .option('-a, --all', 'Remove everything that no machine is using')
    .option('--unused', 'Remove what this tsengine would not take for any machine: superseded by newer')
    .action(async (names: string[], flags: RemoveFlags) => {
      const all = flags.all === true;
      const unused = flags.unused === true;
      if (!all && !unused && names.length === 0)
        throw new TsengineError(
          'InvalidParameter',
          'name what is to be removed, or give --unused or --all: see tsengine lab ls',
        );
      if (all && unused) throw new TsengineError('InvalidParameter', 'give --unused or --all, not both');
      if ((all || unused) && names.length > 0)
        throw new TsengineError('InvalidParameter', `give names or ${all ? '--all' : '--unused'}, not both`);
      const { removeFromCache, removeUnused } = await import('../../lab/listing.ts');
      if (names.length > 0) {
        await forEachName(names, async (name) => removeFromCache(name));
        return;
      }
      const { removed, kept } = removeUnused(all ? 'all' : 'superseded');
      for (const name of removed) await printLine(name);
      for (const name of kept) process.stderr.write(`tsengine: ${name} is in use, and stays\n`);
    });
}
