/**
 * Lists as Docker prints them: a table, one line a row from a Go template, one JSON object a row, or ids only. Rows are
 * contexts made by `asRow`; nothing of a row is worked out that the format does not ask for.
 */
import { alignColumns } from './tabwriter.ts';
import { compileTemplate } from './template.ts';

/** How a kind of list is printed. */
export interface ListFormat {
  /** The heading of each field, such as `ID: 'CONTAINER ID'`. */
  readonly headings: Readonly<Record<string, string>>;
  /** The format used when none is asked for: `table {{.ID}}\t{{.Names}}`. */
  readonly table: string;
  /** The format of `--quiet`, `{{.ID}}` where not given. */
  readonly quiet?: string;
  /** The format called `raw`, and the one that it is with `--quiet`, where there is one. */
  readonly raw?: { readonly full: string; readonly quiet: string };
}

/** What the user asked for. */
export interface ListOptions {
  /** `--format`: `table`, `table TEMPLATE`, `json`, `raw` or a template. Empty means the default. */
  readonly format?: string | undefined;
  readonly quiet?: boolean | undefined;
}

/** The whole text of a list, with its last newline. Throws `TsengineError` for a bad template, in Docker's words. */
export function formatList(list: ListFormat, rows: Iterable<object>, options: ListOptions = {}): string {
  const { template, isTable } = chooseFormat(list, options);
  const body = compileTemplate(template, 'list');
  let text = '';
  for (const row of rows) text += `${body.execute(row)}\n`;
  if (!isTable) return text;
  const heading = compileTemplate(template, 'header').execute({ ...list.headings, Label: labelHeading });
  return alignColumns(`${heading}\n${text}`);
}

/**
 * What `--format` means: whether it is a table, and the template of one line in which the two characters `\t` and
 * `\n` have become tab and newline.
 */
export function chooseFormat(
  list: ListFormat,
  { format = '', quiet = false }: ListOptions,
): { readonly template: string; readonly isTable: boolean } {
  if (format === 'json') return { template: '{{json .}}', isTable: false };
  if (format === 'raw' && list.raw !== undefined) {
    return { template: quiet ? list.raw.quiet : list.raw.full, isTable: false };
  }
  const plain = format === '' || format === 'table';
  if (plain && quiet) return { template: list.quiet ?? '{{.ID}}', isTable: false };
  const chosen = plain ? list.table : format;
  const isTable = chosen.startsWith('table');
  const line = (isTable ? chosen.slice('table'.length) : chosen).replaceAll(/^ +| +$/g, '');
  return { template: line.replaceAll('\\t', '\t').replaceAll('\\n', '\n'), isTable };
}

/** The heading of `{{.Label "com.example.some-name"}}`: what follows the last dot, in words. */
function labelHeading(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).replaceAll(/[-_]/g, ' ');
}
