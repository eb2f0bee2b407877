import type { Command } from 'commander';
import type { KernelListing } from '../../lab/listing.ts';
import { formatList, type ListFormat } from '../format/table.ts';
import { asRow } from '../format/template.ts';
import { writeOut } from '../output.ts';

const LIST: ListFormat = {
  headings: { Name: 'KERNEL', Source: 'SOURCE', Release: 'RELEASE', State: 'STATE' },
  table: 'table {{.Name}}\t{{.Source}}\t{{.Release}}\t{{.State}}',
  quiet: '{{.Name}}',
};

const ABOUT = `'tsengine lab run --kernel' takes the names, and the path of a kernel of yours.
A suite of Debian's names its kernel as well: debian:bookworm is debian:6.1.

Examples:
  tsengine lab kernels
  tsengine lab kernels --format '{{.Name}} {{.State}}'`;

/** `tsengine lab kernels`: which kernels machines can have. */
export function register(command: Command): void {
  command
    .usage('[OPTIONS]')
    .description(ABOUT)
    .option('--format <string>', 'Pretty-print kernels using a Go template, or "json"')
    .option('-q, --quiet', 'Only show names')
    .action(async (flags: { readonly format?: string; readonly quiet?: boolean }) => {
      const { listKernels } = await import('../../lab/listing.ts');
      await writeOut(1, formatList(LIST, listKernels().map(row), flags));
    });
}

function row(kernel: KernelListing): object {
  return asRow('*lab.KernelContext', {
    Name: kernel.name,
    Source: kernel.source,
    Release: kernel.release,
    State: kernel.state,
  });
}
