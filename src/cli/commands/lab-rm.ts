import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import { forEachName } from '../each.ts';

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
      const { listCache, removeFromCache } = await import('../../lab/listing.ts');
      const chosen = flags.all === true ? listCache().map(({ name }) => name) : names;
      await forEachName(chosen, async (name) => removeFromCache(name));
    });
}
