import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { bytesSize, ramInBytes } from '../format/units.ts';
import { writeOut } from '../output.ts';

/** As Docker's loop files of devicemapper are large: sparse, so that it costs what is written. */
const DEFAULT_SIZE = '20g';

/** `tsengine driver setup`: a filesystem or pool on a file, for a driver that the data root's filesystem cannot serve. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] DRIVER')
    .argument('<driver>')
    .option(
      '--size <bytes>',
      `Size of the file, of which only what is written takes space (default ${DEFAULT_SIZE})`,
    )
    .action(async (name: string, flags: { readonly size?: string }) => {
      const size = ramInBytes(flags.size ?? DEFAULT_SIZE);
      const { setUpDriver } = await import('../../engine/driver-stores.ts');
      const { dataRoot, execRoot } = context.globals;
      const home = await setUpDriver({ dataRoot, execRoot }, name, size);
      const global = dataRoot === undefined ? '' : ` --data-root ${dataRoot}`;
      await writeOut(
        1,
        `${name} has ${bytesSize(size)} at ${home}: use it with "tsengine${global} --storage-driver ${name} run …"\n`,
      );
    });
}
