import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import { versionDocument, versionText } from '../version-text.ts';

/** `tsengine version`: reached with flags only; without any, `main.ts` has answered already. */
export function register(command: Command): void {
  command
    .usage('[OPTIONS]')
    .option('-f, --format <string>', 'Format the output: json')
    .action((options: { format?: string }) => {
      const version = versionDocument();
      switch (options.format) {
        case undefined:
        case '':
          process.stdout.write(versionText(version));
          return;
        case 'json':
        case '{{json .}}':
          process.stdout.write(`${JSON.stringify(version)}\n`);
          return;
        default:
          throw new TsengineError(
            'InvalidParameter',
            `cannot format the version as "${options.format}": json is known`,
          );
      }
    });
}
