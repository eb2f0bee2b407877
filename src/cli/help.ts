import type { Command } from 'commander';
import type { CommandTable } from './command.ts';

/** Docker wraps help at the terminal's width and at 80 where there is none. */
const width = () => process.stdout.columns ?? 80;

/** The help of one command, in Docker's layout; what its flags cannot say, its description, comes last. */
export function commandHelp(command: Command, commandPath: string): string {
  const blocks = [`Usage:  ${commandPath} ${command.usage()}`, command.summary()];
  const options = optionList(command);
  if (options !== '') blocks.push(`Options:\n${options}`);
  if (command.description() !== '') blocks.push(command.description());
  return `\n${blocks.join('\n\n')}\n`;
}

/** The help of a table of commands: the program's own (`root` has its flags) or that of a noun like `container`. */
export function tableHelp(table: CommandTable, commandPath: string, summary: string, root?: Command): string {
  const entries = Object.entries(table);
  const groups = entries.flatMap(([name, entry]) =>
    'commands' in entry ? [[name, entry.summary] as const] : [],
  );
  const leaves = entries.flatMap(([name, entry]) =>
    'load' in entry && !entry.hidden ? [[name, entry.summary] as const] : [],
  );
  const column = Math.max(...[...groups, ...leaves].map(([name]) => name.length)) + 2;
  const list = (rows: readonly (readonly [string, string])[]) =>
    rows.map(([name, line]) => `  ${name.padEnd(column)}${line}`).join('\n');

  const blocks = [`Usage:  ${commandPath} ${root ? '[OPTIONS] ' : ''}COMMAND`, summary];
  if (root) blocks.push(`Options:\n${optionList(root)}`);
  if (groups.length > 0) blocks.push(`Management Commands:\n${list(groups)}`);
  if (leaves.length > 0) blocks.push(`Commands:\n${list(leaves)}`);
  blocks.push(`Run '${commandPath} COMMAND --help' for more information on a command.`);
  return `\n${blocks.join('\n\n')}\n`;
}

/** The options of a command, one a line, their descriptions aligned and wrapped. */
function optionList(command: Command): string {
  const rows = command.options
    .filter((option) => !option.hidden)
    .map((option) => {
      const value = /<([^>]+)>/.exec(option.flags)?.[1];
      const name = `${option.short ? `${option.short}, ` : '    '}${option.long ?? ''}${value ? ` ${value}` : ''}`;
      return [name, option.description] as const;
    })
    .sort(([a], [b]) => (a.slice(4) < b.slice(4) ? -1 : 1));
  const column = Math.max(0, ...rows.map(([name]) => name.length)) + 3;
  return rows.map(([name, text]) => `  ${name.padEnd(column)}${wrap(text, column + 2)}`).join('\n');
}

/** Breaks `text` between words so that it fits beside a column of `indent` characters. */
function wrap(text: string, indent: number): string {
  const room = Math.max(24, width() - indent);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`);
}
