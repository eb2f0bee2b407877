import type { Command } from 'commander';
import { writeOutNow } from '../output.ts';
import { versionDocument, versionText } from '../version-text.ts';

/** Docker's names of the types, for errors. */
const TYPES = { '': 'system.versionInfo', '.Client': 'system.clientVersion', '.Server': '*types.Version' };

/** `tsengine version`: reached with flags only; without any, `main.ts` has answered already. */
export function register(command: Command): void {
  command
    .usage('[OPTIONS]')
    .option('-f, --format <string>', 'Format the output using the given Go template, or "json"')
    .action(async (options: { readonly format?: string }) => {
      const version = versionDocument();
      const { format = '' } = options;
      if (format === '') return writeOutNow(1, versionText(version));
      const { compileTemplate, executeOnObject } = await import('../format/template.ts');
      const template = compileTemplate(format === 'json' ? '{{json .}}' : format, 'version');
      let text = '';
      try {
        text = executeOnObject(template, version, TYPES);
      } finally {
        // Docker ends the line also after what went wrong.
        writeOutNow(1, `${text}\n`);
      }
    });
}
