import type { Command } from 'commander';
import { parseStorageOption } from '../../drivers/storage-options.ts';
import type { CommandContext } from '../command.ts';
import { addDataRootFlag, type DataRootFlag, withDataRoot } from '../data-root-flag.ts';
import { parseFlag } from '../flags/flag-error.ts';
import { bytesSize, ramInBytes } from '../format/units.ts';
import { writeOut } from '../output.ts';

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
      "Size of the file, as 512m or 20g: only what is written takes space, but for zfs-fuse's, which takes all at once where the disk has it to spare (default 20g, or half of what the disk has left)",
    );
  addDataRootFlag(command, 'Make it in this data root').action(async (name: string, flags: SetupFlags) => {
    const asked = flags.size === undefined ? {} : { size: parseFlag('--size', flags.size, ramInBytes) };
    const { setUpDriver } = await import('../../engine/driver-stores.ts');
    const { dataRoot, execRoot, storageOpts } = withDataRoot(context, flags).globals;
    const options = storageOpts.map(parseStorageOption);
    const made = await setUpDriver({ dataRoot, execRoot }, { ...asked, name, options });
    const { home, program, size, tooLittle } = made;
    if (tooLittle !== undefined)
      process.stderr.write(
        `WARNING: the disk of the data root has ${bytesSize(tooLittle)} left, and what is written into the store beyond that fails: keep room there\n`,
      );
    await writeOut(
      1,
      `${name} has ${bytesSize(size)} at ${home}: use it with "${program} --storage-driver ${name} run …"\n`,
    );
  });
}
