import type { Command } from 'commander';
import type { HistoryItem } from '../../engine/api/services.ts';
import type { CommandContext } from '../command.ts';
import { agoText, ellipsis, shortId } from '../format/ps.ts';
import { formatList, type ListFormat } from '../format/table.ts';
import { asRow } from '../format/template.ts';
import { humanSize } from '../format/units.ts';
import { writeOut } from '../output.ts';
import { withEngine } from '../with-engine.ts';

interface HistoryFlags {
  readonly format?: string;
  readonly human: boolean;
  readonly trunc: boolean;
  readonly quiet?: boolean;
}

const LIST: ListFormat = {
  headings: {
    ID: 'IMAGE',
    CreatedSince: 'CREATED',
    CreatedAt: 'CREATED AT',
    CreatedBy: 'CREATED BY',
    Size: 'SIZE',
    Comment: 'COMMENT',
  },
  table: 'table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}',
};

/** `tsengine history`: the steps an image was made in, newest first. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] IMAGE')
    .argument('<image>')
    .option('--format <string>', 'Pretty-print history using a Go template, or "json"')
    .option('-H, --human', 'Print sizes and dates in human readable format (default true)', true)
    .option('--no-human', 'Print sizes in bytes and dates in full')
    .option('--no-trunc', "Don't truncate output")
    .option('-q, --quiet', 'Only show image IDs')
    .action(async (name: string, flags: HistoryFlags) => {
      const items = await withEngine(context, (engine) => engine.images.history(name));
      const list = flags.human ? LIST : { ...LIST, table: LIST.table.replace('CreatedSince', 'CreatedAt') };
      const rows = items.map((item) => historyRow(item, flags));
      await writeOut(1, formatList(list, rows, { format: flags.format, quiet: flags.quiet }));
    });
}

/** Columns of the CREATED BY cell unless `--no-trunc`. */
const CREATED_BY_WIDTH = 45;

/** What a template sees of one step. */
function historyRow(item: HistoryItem, { human, trunc }: HistoryFlags): object {
  const createdAt = new Date(item.Created * 1000).toISOString().replace(/\.000Z$/, 'Z');
  return asRow('*image.historyContext', {
    get Comment() {
      return item.Comment;
    },
    get CreatedAt() {
      return createdAt;
    },
    get CreatedBy() {
      const text = item.CreatedBy.replaceAll('\t', ' ');
      return trunc ? ellipsis(text, CREATED_BY_WIDTH) : text;
    },
    get CreatedSince() {
      return human ? agoText(item.Created, Date.now() / 1000) : createdAt;
    },
    get ID() {
      return trunc ? shortId(item.Id) : item.Id;
    },
    get Size() {
      return human ? humanSize(item.Size, 3) : String(item.Size);
    },
  });
}
