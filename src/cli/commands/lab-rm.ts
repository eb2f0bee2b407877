import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import { forEachName } from '../each.ts';
import { printLine } from '../output.ts';

/** `tsengine lab rm`: removes entries of the lab's cache; what is needed again is made again. */
export function register(command: Command): void {
  command
    .usage('[OPTIONS] [NAME...]')
    .argument('[name...]')
    .option('-a, --all', 'Remove everything that no machine is using')
    .action(async (names: string[], flags: { readonly all?: boolean }) => {
      if (flags.all !== true && names.length === 0)
        throw new TsengineError(
          'InvalidParameter',
          'name what is to be removed, or give --all: see tsengine lab ls',
        );
      if (flags.all === true && names.length > 0)
        throw new TsengineError('InvalidParameter', 'give names or --all, not both');
      const { removeFromCache, removeUnused } = await import('../../lab/listing.ts');
      if (flags.all !== true) {
        await forEachName(names, async (name) => removeFromCache(name));
        return;
      }
      const { removed, kept } = removeUnused();
      for (const name of removed) await printLine(name);
      for (const name of kept) process.stderr.write(`tsengine: ${name} is in use, and stays\n`);
    });
}
