import type { Command } from 'commander';
import { parseStorageOption } from '../../drivers/storage-options.ts';
import type { CommandContext } from '../command.ts';
import { addDataRootFlag, type DataRootFlag, withDataRoot } from '../data-root-flag.ts';
import { parseFlag } from '../flags/flag-error.ts';
import { bytesSize, ramInBytes } from '../format/units.ts';
import { writeOut } from '../output.ts';

/** As Docker's loop files of devicemapper are large: sparse, so that it costs what is written. */
const DEFAULT_SIZE = '20g';

interface SetupFlags extends DataRootFlag {
  readonly size?: string;
}

/** `tsengine driver setup`: a filesystem or pool on a file, for a driver that the data root's filesystem cannot serve. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] DRIVER')
    .description(
      'DRIVER is btrfs (a file system), zfs (a pool) or devicemapper (a thin pool);\nthe others need no store.',
    )
    .argument('<driver>')
    .option(
      '--size <bytes>',
      `Size of the file, of which only what is written takes space; zfs-fuse's has all of it at once, where the disk has twice as much (default ${DEFAULT_SIZE})`,
    );
  addDataRootFlag(command, 'Make it in this data root').action(async (name: string, flags: SetupFlags) => {
    const size = parseFlag('--size', flags.size ?? DEFAULT_SIZE, ramInBytes);
    const { setUpDriver } = await import('../../engine/driver-stores.ts');
    const { dataRoot, execRoot, storageOpts } = withDataRoot(context, flags).globals;
    const options = storageOpts.map(parseStorageOption);
    const { home, program, room } = await setUpDriver({ dataRoot, execRoot }, { name, size, options });
    if (room < size)
      process.stderr.write(
        `WARNING: the disk of the data root has ${bytesSize(room)} left, and what is written into the store beyond that fails: keep room there\n`,
      );
    await writeOut(
      1,
      `${name} has ${bytesSize(size)} at ${home}: use it with "${program} --storage-driver ${name} run …"\n`,
    );
  });
}
