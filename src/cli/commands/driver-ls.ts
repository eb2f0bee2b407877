import type { Command } from 'commander';
import type { DriverListing } from '../../drivers/listing.ts';
import type { CommandContext } from '../command.ts';
import { addDataRootFlag, type DataRootFlag, withDataRoot } from '../data-root-flag.ts';
import { formatList, type ListFormat } from '../format/table.ts';
import { asRow } from '../format/template.ts';
import { bytesSize } from '../format/units.ts';
import { writeOut } from '../output.ts';

const LIST: ListFormat = {
  headings: { Name: 'DRIVER', State: 'STATE', Notes: 'NOTES' },
  table: 'table {{.Name}}\t{{.State}}\t{{.Notes}}',
  quiet: '{{.Name}}',
};

interface ListFlags extends DataRootFlag {
  readonly format?: string;
  readonly quiet?: boolean;
}

/** `tsengine driver ls`: the six storage drivers, and what this machine and the filesystem of the data root offer each. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS]')
    .option('--format <string>', 'Pretty-print drivers using a Go template, or "json"')
    .option('-q, --quiet', 'Only show names of drivers that can serve here');
  addDataRootFlag(command, 'List what this data root offers');
  command.action(async (flags: ListFlags) => {
    const { listDriversOf } = await import('../../engine/driver-stores.ts');
    const { dataRoot, execRoot } = withDataRoot(context, flags).globals;
    const drivers = await listDriversOf({ dataRoot, execRoot });
    const shown = flags.quiet === true ? drivers.filter(({ state }) => state === 'supported') : drivers;
    await writeOut(1, formatList(LIST, shown.map(row), flags));
  });
}

function row({ name, state, notes, storeSize }: DriverListing): object {
  const store = storeSize === undefined ? '' : `store of ${bytesSize(storeSize)}, made by driver setup`;
  const all = [store, notes].filter((text) => text !== '').join('; ');
  return asRow('*driver.Context', { Name: name, State: state, Notes: all });
}
