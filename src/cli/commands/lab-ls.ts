import type { Command } from 'commander';
import type { CacheListing } from '../../lab/listing.ts';
import { agoText } from '../format/ps.ts';
import { formatList, type ListFormat } from '../format/table.ts';
import { asRow } from '../format/template.ts';
import { humanSize } from '../format/units.ts';
import { ABOUT_CACHE } from '../lab-flags.ts';
import { writeOut } from '../output.ts';

const LIST: ListFormat = {
  headings: { Name: 'NAME', Kind: 'KIND', Details: 'DETAILS', Created: 'CREATED', Size: 'SIZE' },
  table: 'table {{.Name}}\t{{.Kind}}\t{{.Details}}\t{{.Created}}\t{{.Size}}',
  quiet: '{{.Name}}',
};

const ABOUT = `'tsengine lab rm' takes the names.

Examples:
  tsengine lab ls
  tsengine lab ls --format '{{.Size}} {{.Name}}'

${ABOUT_CACHE}`;

/** `tsengine lab ls`: what the lab made and keeps. */
export function register(command: Command): void {
  command
    .usage('[OPTIONS]')
    .description(ABOUT)
    .option('--format <string>', 'Pretty-print entries using a Go template, or "json"')
    .option('-q, --quiet', 'Only show names')
    .action(async (flags: { readonly format?: string; readonly quiet?: boolean }) => {
      const { listCache } = await import('../../lab/listing.ts');
      await writeOut(1, formatList(LIST, listCache().map(row), flags));
    });
}

function row(entry: CacheListing): object {
  return asRow('*lab.EntryContext', {
    get Created() {
      return agoText(Date.parse(entry.made) / 1000, Date.now() / 1000);
    },
    get CreatedAt() {
      return entry.made;
    },
    get Details() {
      return Object.entries(entry.details)
        .map(([key, value]) => `${key}=${value}`)
        .join(', ');
    },
    get Kind() {
      return entry.kind;
    },
    get Name() {
      return entry.name;
    },
    get Size() {
      return humanSize(entry.bytes, 3);
    },
  });
}
