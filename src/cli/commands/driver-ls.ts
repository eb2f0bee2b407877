import type { Command } from 'commander';
import type { DriverListing } from '../../drivers/listing.ts';
import { DEFAULT_DATA_ROOT } from '../../engine/root.ts';
import type { CommandContext } from '../command.ts';
import { formatList, type ListFormat } from '../format/table.ts';
import { asRow } from '../format/template.ts';
import { writeOut } from '../output.ts';

const LIST: ListFormat = {
  headings: { Name: 'DRIVER', State: 'STATE', Notes: 'NOTES' },
  table: 'table {{.Name}}\t{{.State}}\t{{.Notes}}',
  quiet: '{{.Name}}',
};

/** `tsengine driver ls`: the six storage drivers, and what this machine and the filesystem of the data root offer each. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS]')
    .option('--format <string>', 'Pretty-print drivers using a Go template, or "json"')
    .option('-q, --quiet', 'Only show names of drivers that can serve here')
    .action(async (flags: { readonly format?: string; readonly quiet?: boolean }) => {
      const { listDrivers } = await import('../../drivers/listing.ts');
      const drivers = await listDrivers(context.globals.dataRoot ?? DEFAULT_DATA_ROOT);
      const shown = flags.quiet === true ? drivers.filter(({ state }) => state === 'supported') : drivers;
      await writeOut(1, formatList(LIST, shown.map(row), flags));
    });
}

function row(driver: DriverListing): object {
  return asRow('*driver.Context', { Name: driver.name, State: driver.state, Notes: driver.notes });
}
