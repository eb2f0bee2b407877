import { dirname } from 'node:path';
import type { Command } from 'commander';
import { parseFlag } from '../flags/flag-error.ts';
import { named } from '../lab-flags.ts';
import { writeOutNow } from '../output.ts';

const ABOUT = `Writes report.md, report.html and charts/*.png beside the result, or into --out, and says
what to choose for what. The page needs nothing else: open it, print it, send it on.

Examples:
  tsengine bench report bench/result.json
  tsengine bench report --out report result.json`;

/** `tsengine bench report`: a result as a page, as Markdown and as charts. */
export function register(command: Command): void {
  command
    .usage('[OPTIONS] RESULT.json')
    .description(ABOUT)
    .argument('<result>')
    .option('--out <path>', "Folder for the report (default the result's)")
    .action(async (path: string, flags: { readonly out?: string }) => {
      const out =
        flags.out === undefined
          ? dirname(path)
          : parseFlag('--out', flags.out, named('it must name a folder'));
      const { readResult } = await import('../../../bench/suite/result-file.ts');
      const { reportOf } = await import('../../../bench/suite/report/report.ts');
      const { writeReportOf } = await import('../../../bench/suite/report/write-report.ts');
      const { summaryText, writtenText } = await import('../../../bench/suite/report/summary.ts');
      const report = reportOf(readResult(path));
      const paths = await writeReportOf(report, out, (line) => writeOutNow(2, `tsengine: ${line}\n`));
      writeOutNow(1, `${summaryText(report)}${writtenText(paths)}`);
    });
}
